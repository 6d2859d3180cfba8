"""FLoRA (Wang et al., arXiv 2409.05976): the clients' factors are stacked, so nothing is lost by averaging.

Each round every client trains a fresh adapter of the spec's rank (B = 0) on top of all that came before, and the server
stacks what they send: with s = alpha / rank and wₖ = nₖ / Σ n

    A ← [A; s w₁ A₁; s w₂ A₂; …]      B ← [B, B₁, B₂, …]      so that      B A ← B A + Σ wₖ · s Bₖ Aₖ

The global adapter's rank grows by rank × replies each round; its scale is 1. The paper's clients add the product to
their copy of the base model. Here it stays apart and acts by hooks, so that quantised weights are as they are, and it
is sent whole each round: a client that was not asked before has none of it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy

from ..arrays import Arrays, ordered
from . import base
from .factors import A, B, modules
from .mean import Weighted, shares

if TYPE_CHECKING:
    import torch


class Strategy(base.Strategy):
    """The stack of all clients' factors. Keeps no state."""

    changes_add_up = False
    """Each round's factors are new ones."""

    def start(self, drawn: Arrays) -> Arrays:
        """The stack of nothing: factors of rank 0."""
        return {name: array[:0] if name.endswith(A) else array[:, :0] for name, array in drawn.items()}

    def awaited(self, current: Arrays, partition: int) -> Arrays:
        """Factors of the spec's rank, zero: a reply is itself what is added."""
        rank = int(self.adapter["rank"])
        shapes = {n: (rank, a.shape[1]) if n.endswith(A) else (a.shape[0], rank) for n, a in current.items()}
        return {name: numpy.zeros(shape, dtype=numpy.float32) for name, shape in shapes.items()}

    def aggregate(self, current: Arrays, replies: Weighted, state: Arrays | None) -> tuple[Arrays, Arrays | None]:
        """The stack, longer by the rank of every reply. Keeps no state."""
        weights = shares(replies)
        scale = float(self.adapter["alpha"]) / int(self.adapter["rank"])
        new: Arrays = {}
        for module in modules(current):
            a = [
                arrays[module + A].astype(numpy.float64) * (scale * w)
                for w, (_, arrays) in zip(weights, replies, strict=True)
            ]
            b = [arrays[module + B] for _, arrays in replies]
            new[module + A] = numpy.concatenate(
                [current[module + A], *a], axis=0, dtype=numpy.float32, casting="same_kind"
            )
            new[module + B] = numpy.concatenate([current[module + B], *b], axis=1, dtype=numpy.float32)
        return ordered(new), None

    def begin(self, received: Arrays, drawn: Callable[[], Arrays]) -> Arrays:
        """A fresh adapter: the run's initial one, A's numbers shuffled by the rank so far, so that rounds differ."""
        fresh = drawn()
        return {
            name: shuffled(array, received[name].shape[0]) if name.endswith(A) else array
            for name, array in fresh.items()
        }

    def around(self, net: torch.nn.Module, received: Arrays) -> contextlib.AbstractContextManager[object]:
        """The stack acts beside the adapter."""
        from .. import stacked

        return stacked.added(net, received)

    def described(self, arrays: Arrays) -> dict[str, Any]:
        """One LoRA of the stack's rank, whose alpha is that rank, so that its scale is 1."""
        rank = next(array.shape[0] for name, array in arrays.items() if name.endswith(A))
        return {**self.adapter, "rank": rank, "alpha": rank}


def shuffled(array: Any, seed: int) -> Any:
    """The same numbers in another order, as a fresh draw from the same distribution; with seed 0 as they are."""
    if not seed:
        return array
    return numpy.random.default_rng(seed).permutation(array.reshape(-1)).reshape(array.shape)
