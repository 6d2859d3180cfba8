"""FedAdam (Reddi et al., arXiv 2003.00295, algorithm 2): `adaptive` with Adam's second moment,

v ← beta2 · v + (1 − beta2) · Δ²
"""

from __future__ import annotations

from .adaptive import Adaptive
from .mean import Exact


class Strategy(Adaptive):
    """Adam on the mean change."""

    parameters = frozenset({"server_learning_rate", "beta1", "beta2", "tau"})

    def second(self, before: Exact, square: Exact) -> Exact:
        """A decaying mean of the squares."""
        beta2 = float(self.block["beta2"])
        return beta2 * before + (1 - beta2) * square
