"""Local privacy: a client clips its own change and covers it with noise of deviation z · clip before it is sent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy

from ..arrays import Arrays
from . import clipping, noise


def release(block: Mapping[str, Any], drawn: tuple[int, int, int], base: Arrays, reply: Arrays) -> Arrays:
    """What is sent: `base` and the clipped, noised change. `drawn`: seed, round and partition of the noise."""
    clip = float(block["clip"])
    part = clipping.factor(clipping.length(base, reply), clip)
    deviation = float(block["noise_multiplier"]) * clip
    seed, number, partition = drawn
    source = noise.generator(seed, number, noise.CLIENT, partition)
    sent: Arrays = {}
    for name in sorted(base):
        old = base[name].astype(numpy.float64)
        covered = (reply[name] - old) * part + source.standard_normal(old.shape) * deviation
        sent[name] = (old + covered).astype(numpy.float32)
    return sent
