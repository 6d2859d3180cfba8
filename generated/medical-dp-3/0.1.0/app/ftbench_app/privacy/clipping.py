"""Clipping a client's whole change to a length, and the length that adapts to what clients send."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy
from numpy.typing import NDArray

from ..arrays import Arrays

CLIP = "clip"
"""Name of the adaptive clip in the server's state."""


def length(base: Arrays, reply: Mapping[str, NDArray[Any]]) -> float:
    """L2 norm of the change from `base`, all tensors together as one vector, in float64; one tensor at a time."""
    squares = [float(numpy.square(reply[name].astype(numpy.float64) - base[name]).sum()) for name in base]
    return math.sqrt(math.fsum(squares))


def factor(norm: float, clip: float) -> float:
    """What a change of that length is multiplied by, so that none is longer than `clip`."""
    return 1.0 if norm <= clip else clip / norm


def in_force(block: Mapping[str, Any], state: Arrays | None) -> float:
    """The clip of the coming round: the adapted one, the spec's in the first round and wherever it is fixed."""
    return float(block["clip"]) if state is None else float(state[CLIP][0])


def adapted(block: Mapping[str, Any], clip: float, within: float) -> Arrays:
    """The next clip (Andrew et al., arXiv 1905.03871): C · exp(−rate · (within − quantile)).

    `within`: noised share of clients whose change was no longer than C. Kept in float32, and used as kept, so that a
    resumed run clips alike.
    """
    rate, quantile = float(block["clip_learning_rate"]), float(block["quantile"])
    following = clip * math.exp(min(MOST, max(-MOST, -rate * (within - quantile))))
    return {CLIP: numpy.array([min(LARGEST, max(SMALLEST, following))], dtype=numpy.float32)}


MOST = 10.0
"""No step changes the clip by more than e^10, whatever the noise in the count."""
SMALLEST, LARGEST = 1e-20, 1e20
"""Bounds of the clip, so that float32 holds it."""
