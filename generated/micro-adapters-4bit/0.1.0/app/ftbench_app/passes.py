"""The passes of one client's steps: each effective batch in micro-batches, forward and backward.

Within a batch the examples go by length, so that neighbours are padded to each other: the gradient is a sum over the
batch, whichever pass an example is in.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch

from . import captured, layers

if TYPE_CHECKING:
    from .objective import Objective


class Passes:
    """Adds up gradients and remembers losses, which are read once all steps are taken."""

    def __init__(self, model: torch.nn.Module, objective: Objective, micro_batch: int) -> None:
        """`micro_batch`: examples in one pass; 0: all of them."""
        self._model = model
        self._objective = objective
        self._micro_batch = micro_batch
        self._layers = layers.of(model)
        self._steps: list[list[torch.Tensor]] = []
        self._positions = self._tokens = 0
        self._graphs = captured.of(model)

    def accumulate(self, batch: Sequence[Any]) -> None:
        """Add the batch's gradient to the parameters'."""
        if self._layers is not None:
            self._layers.held = False
            if self._graphs is not None:
                self._graphs.refresh()
            else:
                self._layers.refresh()
            self._layers.held = True
        self._steps.append([])
        for part, weights in parts(batch, self._micro_batch, self._objective):
            if self._graphs is not None:
                loss, more, positions = self._graphs.run(self._objective, part, weights)
            else:
                loss, more, positions = once(self._model, self._objective, part, weights)
            self._steps[-1].append(loss)
            self._positions += positions
            self._tokens += sum(map(self._objective.tokens, part))
            self._objective.note(part, more)
        if self._layers is not None:
            self._layers.finish()

    def losses(self) -> list[float]:
        """Loss of each step."""
        read = iter(torch.stack([loss for step in self._steps for loss in step]).tolist())
        return [math.fsum(next(read) for _ in step) for step in self._steps]

    @property
    def padding(self) -> float:
        """Share of the positions so far that hold no token."""
        return 1 - self._tokens / self._positions if self._positions else 0.0

    def end(self) -> None:
        """The adapter may change from here on."""
        if self._layers is not None:
            self._layers.held = False


def parts(batch: Sequence[Any], micro_batch: int, objective: Objective) -> list[tuple[list[Any], list[float]]]:
    """The batch's passes, and each example's weight in the loss of the whole batch."""
    weighted = list(zip(batch, objective.weights(batch), strict=True))
    size = micro_batch or len(batch)
    if size < len(batch):
        weighted.sort(key=lambda one: objective.length(one[0]))  # stable, so that one order leads to one sum
    found = []
    for start in range(0, len(weighted), size):
        examples, weights = zip(*weighted[start : start + size], strict=True)
        found.append((list(examples), list(weights)))
    return found


def once(
    model: torch.nn.Module, objective: Objective, part: Sequence[Any], weights: Sequence[float]
) -> tuple[torch.Tensor, torch.Tensor | None, int]:
    """One pass forward and backward: its loss, what it tells, and the positions that it took."""
    device = next(model.parameters()).device
    tensors = {name: tensor.to(device, non_blocking=True) for name, tensor in objective.batch(part, weights).items()}
    loss, more = objective.compute(model, tensors)
    loss.backward()  # type: ignore[no-untyped-call]
    return loss.detach(), more, tensors["ids"].numel()
