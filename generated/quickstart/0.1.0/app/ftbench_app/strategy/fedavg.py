"""Federated averaging (McMahan et al., arXiv 1602.05629): θ = Σ nₖ θₖ / Σ nₖ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy

from ..arrays import Arrays


def aggregate(
    block: Mapping[str, Any], current: Arrays, replies: Sequence[tuple[float, Arrays]], state: Arrays | None
) -> tuple[Arrays, Arrays | None]:
    """Weighted mean in the order given, summed in float64 and rounded once to float32. Keeps no state."""
    total = float(sum(weight for weight, _ in replies))
    if not total > 0:
        raise ValueError("the mean of no weight is not defined")
    mean: Arrays = {}
    for name in current:
        accumulated = numpy.zeros(current[name].shape, dtype=numpy.float64)
        for weight, arrays in replies:
            accumulated += arrays[name].astype(numpy.float64) * (weight / total)
        mean[name] = accumulated.astype(numpy.float32)
    return mean, None
