"""The weighted mean of a round's replies, made while they come.

Float addition is not associative, so replies are added in the order of their partitions whatever the order in which
they come: one whose turn it is goes straight into the sum, another waits in the inbox until its turn. The bits are
those of `weighted_mean` over all of them.
"""

from __future__ import annotations

import itertools
import math
from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any

import numpy
from numpy.typing import NDArray

from .arrays import Arrays
from .inbox import Inbox
from .strategy import Weighted
from .strategy.mean import Exact, add


class OrderedSum:
    """Σ nₖ θₖ and Σ nₖ of those that reply."""

    def __init__(self, partitions: Iterable[int], inbox: Inbox) -> None:
        """`partitions`: who was asked, in the order of the sum."""
        self.inbox = inbox
        self._turns = deque(partitions)
        self._waiting: dict[int, tuple[float, Mapping[str, NDArray[Any]]] | None] = {}
        """What came before its turn; None: nothing of that client enters the sum."""
        self._weight = 0.0
        self._total: Exact = numpy.zeros(0)
        """All tensors one after another: one large array costs less to begin with than many."""
        self._parts: dict[str, Exact] = {}
        """Its views by name."""

    def take(self, partition: int, weight: float, arrays: Arrays) -> None:
        """Add a client's reply, now or when its turn comes."""
        if self._turns[0] == partition:
            self._turns.popleft()
            self._add(weight, arrays)
            self._go_on()
        else:
            self._waiting[partition] = weight, self.inbox.keep(partition, arrays)

    def leave_out(self, partition: int) -> None:
        """No one waits for that client any more."""
        self._waiting[partition] = None
        self._go_on()

    def replies(self) -> Weighted:
        """One reply in the place of all: their mean in float64, with the sum of their weights. Whoever has sent nothing
        is left out; none where nobody sent anything. The sum is finished with that."""
        for partition in self._turns:
            self._waiting.setdefault(partition, None)
        self._go_on()
        if not self._weight > 0:
            return []
        self._total /= self._weight
        return [(self._weight, self._parts)]

    def _go_on(self) -> None:
        while self._turns and self._turns[0] in self._waiting:
            partition = self._turns.popleft()
            if (came := self._waiting.pop(partition)) is not None:
                self._add(*came)
                self.inbox.drop(partition)

    def _add(self, weight: float, arrays: Mapping[str, NDArray[Any]]) -> None:
        if not self._parts:
            self._begin({name: array.shape for name, array in arrays.items()})
        self._weight += weight
        for name, part in self._parts.items():
            add(part, arrays[name], weight)

    def _begin(self, shapes: Mapping[str, tuple[int, ...]]) -> None:
        ends = list(itertools.accumulate(math.prod(shape) for shape in shapes.values()))
        self._total = numpy.zeros(ends[-1] if ends else 0)
        for (name, shape), begin, end in zip(shapes.items(), [0, *ends], ends, strict=False):
            self._parts[name] = self._total[begin:end].reshape(shape)
