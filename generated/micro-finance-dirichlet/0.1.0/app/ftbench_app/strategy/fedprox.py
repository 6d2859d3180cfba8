"""FedProx (Li et al., arXiv 1812.06127): the server's part is FedAvg's, θ = Σ nₖ θₖ / Σ nₖ.

What makes it FedProx is at the clients, whose loss has the term (mu / 2) · ‖w − w_global‖² over the trained tensors.
"""

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
