"""The trained tensors of a model side by side in one piece of memory, and their gradients in another.

What is done to all of them (zeroing, corrections, the norm, clipping, the optimiser's step) is then one operator each,
whatever the number of layers. Each parameter of the model stays what it is, a view of its part.
"""

from __future__ import annotations

import weakref
from collections.abc import Collection, Sequence

import torch

from .model import trainable

ALIGNED = 64
"""Elements to whose multiples a part begins where a gap is allowed, so that kernels may read in wide words."""


class Flat:
    """Parts of one vector by tensor name. `values` and `gradients` are never moved: captured steps know their place."""

    def __init__(self, named: dict[str, torch.nn.Parameter], runs: Sequence[Sequence[str]]) -> None:
        """`runs`: the names in the order in which they lie; within a run nothing lies between two tensors.

        Raises ValueError where the tensors are not of one dtype on one device.
        """
        first = next(iter(named.values()))
        if any((p.dtype, p.device) != (first.dtype, first.device) for p in named.values()):
            raise ValueError("the trained tensors are not of one dtype on one device")
        self.named = named
        self.spans: dict[str, tuple[int, int]] = {}
        end = 0
        for run in runs:
            end = -(-end // ALIGNED) * ALIGNED
            for name in run:
                self.spans[name] = end, end + named[name].numel()
                end += named[name].numel()
        self.values = torch.zeros(end, dtype=first.dtype, device=first.device)
        self.gradients = torch.zeros_like(self.values)
        for name, parameter in named.items():
            part = self.part(self.values, name)
            part.copy_(parameter.detach())
            parameter.data = part

    def part(self, whole: torch.Tensor, name: str) -> torch.Tensor:
        """The part of a vector like `values` that belongs to that tensor, in its shape; of several such vectors in the
        rows of `whole` the parts of all."""
        start, end = self.spans[name]
        return whole[..., start:end].view(*whole.shape[:-1], *self.named[name].shape)

    def segments(self, without: Collection[str]) -> list[tuple[int, int]]:
        """Where everything but these tensors lies; neighbours are joined."""
        found: list[tuple[int, int]] = []
        gap = 0  # what lies between two tensors is nobody's, and stays zero
        for name, (start, end) in self.spans.items():
            if name in without:
                gap = -1
            elif found and gap >= 0:
                found[-1] = found[-1][0], end
            else:
                found.append((start, end))
                gap = 0
        return found

    def holds(self) -> bool:
        """Whether every parameter still lies here: moving a model to another device takes its tensors away."""
        size = self.values.element_size()
        start = self.values.data_ptr()
        return all(p.data_ptr() == start + size * self.spans[name][0] for name, p in self.named.items())

    def bind(self, without: Collection[str] = ()) -> None:
        """Gradients begin at zero and are added up here."""
        self.gradients.zero_()
        for name, parameter in self.named.items():
            parameter.grad = None if name in without else self.part(self.gradients, name)

    def release(self) -> None:
        """No gradient is left: the next ones may be another client's."""
        self.gradients.zero_()
        for parameter in self.named.values():
            parameter.grad = None


_known: weakref.WeakKeyDictionary[torch.nn.Module, Flat] = weakref.WeakKeyDictionary()


def of(model: torch.nn.Module, runs: Sequence[Sequence[str]] | None = None) -> Flat:
    """The model's trained tensors in one piece, made at first use and again where they were moved away.

    `runs`: their order; None: the order in which the model has them.
    """
    found = _known.get(model)
    if found is None or not found.holds():
        named = trainable(model)
        found = _known[model] = Flat(named, [list(named)] if runs is None else runs)
    return found
