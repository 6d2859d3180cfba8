"""FedAdagrad (Reddi et al., arXiv 2003.00295, algorithm 2): `adaptive` with a second moment that only grows,

v ← v + Δ²

and without a first one: beta1 is 0, as in the paper's experiments.
"""

from __future__ import annotations

from .adaptive import Adaptive
from .mean import Exact


class Strategy(Adaptive):
    """Adagrad on the mean change."""

    parameters = frozenset({"server_learning_rate", "tau"})

    def second(self, before: Exact, square: Exact) -> Exact:
        """The sum of all squares so far."""
        return before + square
