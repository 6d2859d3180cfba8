"""Server optimisers with a second moment (Reddi et al., arXiv 2003.00295, algorithm 2).

On Δ, the weighted mean of the adapters minus the global one, coordinate by coordinate:

    m ← beta1 · m + (1 − beta1) · Δ      v ← what the kind makes of v and Δ²      w ← w + rate · m / (√v + tau)

As in the paper there is no bias correction, m begins at zero, and v at tau², the least that the paper allows.
"""

from __future__ import annotations

import numpy

from ..arrays import Arrays
from . import base
from .mean import Exact, Weighted, weighted_mean

FIRST, SECOND = "first::", "second::"
"""Prefixes of m's and v's tensors in the state."""


class Adaptive(base.Strategy):
    """All but the rule of the second moment."""

    needs_mean_alone = True

    def second(self, before: Exact, square: Exact) -> Exact:
        """v of this round from v before it and Δ²."""
        raise NotImplementedError

    def aggregate(self, current: Arrays, replies: Weighted, state: Arrays | None) -> tuple[Arrays, Arrays | None]:
        """Sums in float64. The step uses m and v as the state keeps them (float32): a resumed run takes the same.

        With beta1 0, and in a kind without beta1, m is Δ and no part of the state. float32 holds no square below 1e-45:
        where √v is below 4e-23 the denominator is tau alone.
        """
        beta1 = float(self.block.get("beta1") or 0.0)
        rate, tau = float(self.block["server_learning_rate"]), float(self.block["tau"])
        new: Arrays = {}
        kept: Arrays = {}
        for name, old in current.items():
            delta = weighted_mean(replies, name) - old
            before = numpy.full(old.shape, tau**2) if state is None else state[SECOND + name].astype(numpy.float64)
            kept[SECOND + name] = self.second(before, delta**2).astype(numpy.float32)
            if beta1:
                first = numpy.zeros(old.shape) if state is None else state[FIRST + name].astype(numpy.float64)
                kept[FIRST + name] = (beta1 * first + (1 - beta1) * delta).astype(numpy.float32)
                delta = kept[FIRST + name].astype(numpy.float64)
            v = kept[SECOND + name].astype(numpy.float64)
            new[name] = (old + rate * delta / (numpy.sqrt(v) + tau)).astype(numpy.float32)
        return new, kept
