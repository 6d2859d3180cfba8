"""The weighted mean of a round's replies, made while they come.

Float addition is not associative, so replies are added in the order of their partitions whatever the order in which
they come: one whose turn it is goes straight into the sum, another waits in the inbox until its turn. The bits are
those of `weighted_mean` over all of them.
"""

from __future__ import annotations

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
        self._total: dict[str, Exact] = {}

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
        for total in self._total.values():
            numpy.divide(total, self._weight, out=total)
        return [(self._weight, self._total)]

    def _go_on(self) -> None:
        while self._turns and self._turns[0] in self._waiting:
            partition = self._turns.popleft()
            if (came := self._waiting.pop(partition)) is not None:
                self._add(*came)
                self.inbox.drop(partition)

    def _add(self, weight: float, arrays: Mapping[str, NDArray[Any]]) -> None:
        self._weight += weight
        for name in arrays:
            array = arrays[name]
            if name not in self._total:
                self._total[name] = numpy.zeros(array.shape)
            add(self._total[name], array, weight)
