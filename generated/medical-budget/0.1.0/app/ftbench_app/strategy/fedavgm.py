"""FedAvg with server momentum (Hsu et al., arXiv 1909.06335): v ← momentum · v + Δ, w ← w + rate · v.

Δ is the weighted mean of the clients' adapters minus the global one. v begins at zero. The paper writes the step as
w ← w − v with Δ of the other sign; the two are the same.
"""

from __future__ import annotations

import numpy

from ..arrays import Arrays
from . import base
from .mean import Weighted, weighted_mean

VELOCITY = "velocity::"
"""Prefix of v's tensors in the state."""


class Strategy(base.Strategy):
    """The mean change, with momentum."""

    parameters = frozenset({"server_learning_rate", "momentum"})
    needs_mean_alone = True

    def aggregate(self, current: Arrays, replies: Weighted, state: Arrays | None) -> tuple[Arrays, Arrays | None]:
        """Sums in float64. The step uses v as the state keeps it (float32), so a resumed run takes the same steps."""
        momentum, rate = float(self.block["momentum"]), float(self.block["server_learning_rate"])
        new: Arrays = {}
        kept: Arrays = {}
        for name, old in current.items():
            velocity = weighted_mean(replies, name) - old
            if state is not None:
                velocity += momentum * state[VELOCITY + name].astype(numpy.float64)
            kept[VELOCITY + name] = velocity.astype(numpy.float32)
            new[name] = (old + rate * kept[VELOCITY + name].astype(numpy.float64)).astype(numpy.float32)
        return new, kept
