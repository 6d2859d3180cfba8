"""FedAdam (Reddi et al., arXiv 2003.00295, algorithm 2), on Δ, the weighted mean of the adapters minus the global one:

    m ← beta1 · m + (1 − beta1) · Δ      v ← beta2 · v + (1 − beta2) · Δ²      w ← w + rate · m / (√v + tau)

As in the paper there is no bias correction, m begins at zero, and v at tau², the least that the paper allows.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy

from ..arrays import Arrays
from .mean import Weighted, weighted_mean

FIRST, SECOND = "first::", "second::"
"""Prefixes of m's and v's tensors in the state."""


def aggregate(
    block: Mapping[str, Any], current: Arrays, replies: Weighted, state: Arrays | None
) -> tuple[Arrays, Arrays | None]:
    """Sums in float64. The step uses m and v as the state keeps them (float32), so that a resumed run takes the same.

    float32 holds no square below 1e-45: where √v is below 4e-23 the denominator is tau alone.
    """
    beta1, beta2 = float(block["beta1"]), float(block["beta2"])
    rate, tau = float(block["server_learning_rate"]), float(block["tau"])
    new: Arrays = {}
    kept: Arrays = {}
    for name, old in current.items():
        delta = weighted_mean(replies, name) - old
        first = state[FIRST + name].astype(numpy.float64) if state is not None else numpy.zeros(old.shape)
        second = state[SECOND + name].astype(numpy.float64) if state is not None else numpy.full(old.shape, tau**2)
        kept[FIRST + name] = (beta1 * first + (1 - beta1) * delta).astype(numpy.float32)
        kept[SECOND + name] = (beta2 * second + (1 - beta2) * delta**2).astype(numpy.float32)
        m, v = (kept[prefix + name].astype(numpy.float64) for prefix in (FIRST, SECOND))
        new[name] = (old + rate * m / (numpy.sqrt(v) + tau)).astype(numpy.float32)
    return new, kept
