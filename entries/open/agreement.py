"""Agreement: a number moves only as far as the clients agree on the direction.

    Δₖ = θₖ − θ,   a = |Σ pₖ sign(Δₖ)|,   θ ← θ + Σ pₖ Δₖ  where a ≥ LEAST,  else θ

pₖ is client k's share of the rows. It is the AND-mask of Parascandolo et al. (arXiv 2009.00329) on clients' changes in
the place of environments' gradients. One client, or equal ones, agree in everything: then it is FedAvg.
"""

from __future__ import annotations

import numpy

from .arrays import Arrays
from .strategy import base
from .strategy.mean import Weighted, shares, weighted_mean

LEAST = 0.6
"""Least agreement, from 0 (none is asked for) to 1 (all clients move the same way)."""


class Strategy(base.Strategy):
    """FedAvg of what clients agree on."""

    def aggregate(self, current: Arrays, replies: Weighted, state: Arrays | None) -> tuple[Arrays, Arrays | None]:
        """Tensor by tensor, sums in float64, the result in float32. There is no state."""
        new = {}
        for name, old in current.items():
            votes = numpy.zeros(old.shape)
            for share, (_, arrays) in zip(shares(replies), replies, strict=True):
                votes += share * numpy.sign(arrays[name] - old)
            agreed = numpy.abs(votes) >= LEAST
            new[name] = numpy.where(agreed, weighted_mean(replies, name), old).astype(numpy.float32)
        return new, None
