"""Federated averaging (McMahan et al., arXiv 1602.05629): θ = Σ nₖ θₖ / Σ nₖ."""

from __future__ import annotations

from . import base


class Strategy(base.Strategy):
    """The weighted mean, and nothing else."""

    needs_mean_alone = True
