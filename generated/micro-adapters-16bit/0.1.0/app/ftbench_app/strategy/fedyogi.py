"""FedYogi (Reddi et al., arXiv 2003.00295, algorithm 2): `adaptive` with Yogi's second moment,

v ← v − (1 − beta2) · Δ² · sign(v − Δ²)

It moves by Δ² at most, up or down, whatever v is: after a large Δ it falls slowly, where Adam's forgets at once.
"""

from __future__ import annotations

import numpy

from .adaptive import Adaptive
from .mean import Exact


class Strategy(Adaptive):
    """Yogi on the mean change."""

    parameters = frozenset({"server_learning_rate", "beta1", "beta2", "tau"})

    def second(self, before: Exact, square: Exact) -> Exact:
        """Towards Δ² by (1 − beta2) · Δ²."""
        moved: Exact = before - (1 - float(self.block["beta2"])) * square * numpy.sign(before - square)
        return moved
