"""Federated averaging (McMahan et al., arXiv 1602.05629): θ = Σ nₖ θₖ / Σ nₖ."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..arrays import Arrays
from .mean import Weighted, means


def aggregate(
    block: Mapping[str, Any], current: Arrays, replies: Weighted, state: Arrays | None
) -> tuple[Arrays, Arrays | None]:
    """Weighted mean in the order given, summed in float64 and rounded once to float32. Keeps no state."""
    return means(replies, current), None
