"""Central privacy: clip each change, uniform mean over the clients sampled, noise; then comes the server's optimiser.

The mean's denominator is the number of clients sampled, whoever answered and however many rows each holds: replacing
one client moves the sum by 2 · clip at most, and a missing client counts as no change. The noise in the mean has a
standard deviation of z · clip / sampled, where z is `noise_multiplier` (McMahan et al., arXiv 1710.06963).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy

from ..arrays import Arrays
from ..strategy.mean import Weighted
from . import clipping, noise


def release(
    block: Mapping[str, Any],
    drawn: tuple[int, int],
    replies: Weighted,
    *,
    base: Arrays,
    sampled: int,
    state: Arrays | None,
) -> tuple[Weighted, Arrays | None]:
    """The one reply that the strategy gets, and the next clip where it adapts. `drawn`: seed and round of the noise.
    Weights play no part. Replies are read one tensor at a time, twice: for their lengths, then for the sum.
    """
    clip = clipping.in_force(block, state)
    lengths = [clipping.length(base, arrays) for _, arrays in replies]
    factors = [clipping.factor(norm, clip) for norm in lengths]
    deviation = multiplier(block) * clip / sampled
    source = noise.generator(*drawn, noise.UPDATE)
    new: Arrays = {}
    for name in sorted(base):
        old = base[name].astype(numpy.float64)
        total = numpy.zeros(old.shape)
        for part, (_, arrays) in zip(factors, replies, strict=True):
            total += (arrays[name] - old) * part
        covered = total / sampled + source.standard_normal(old.shape) * deviation
        new[name] = (old + covered).astype(numpy.float32)
    following = None
    if block["clipping"] == "adaptive":
        counted = noise.one(float(block["count_noise_multiplier"]), noise.generator(*drawn, noise.COUNT))
        following = clipping.adapted(block, clip, share_within(lengths, clip, sampled, counted))
    return [(1.0, new)], following


def share_within(lengths: list[float], clip: float, sampled: int, counted: float) -> float:
    """Noised share of the clients sampled whose change is within the clip.

    Each counts 1/2 for within, −1/2 for beyond and 0 where it is missing, so that it is half in the share: one client
    then moves the count by 1 at most, and clients that drop out do not pull the clip.
    """
    return 0.5 + (sum(0.5 if norm <= clip else -0.5 for norm in lengths) + counted) / sampled


def multiplier(block: Mapping[str, Any]) -> float:
    """Noise on the updates in units of the clip, such that updates and count together cost what z alone would.

    z⁻² = z_update⁻² + (2 · count noise)⁻² (arXiv 1905.03871, theorem 1): with an adaptive clip the updates get a bit
    more noise.
    """
    z = float(block["noise_multiplier"])
    if block["clipping"] != "adaptive":
        return z
    return 1 / math.sqrt(z**-2 - (2 * float(block["count_noise_multiplier"])) ** -2)
