"""bf16: the upper 16 bits of a float32, rounded to nearest, ties to even (Kalamkar et al., arXiv 1905.12322).

Carried as uint16, since Flower's ArrayRecord has no such type. At most 2⁻⁸ of a value is lost; above 3.3895e38 it is
infinite. NaN and infinity stay as they are.
"""

from __future__ import annotations

import numpy

from ..arrays import Arrays
from . import Numbers, nothing


def encode(name: str, values: Numbers) -> Arrays:
    """One array of uint16."""
    with numpy.errstate(over="ignore"):
        return {name: _upper_half(values.astype(numpy.float32))}


def decode(name: str, sent: Arrays) -> Numbers:
    """The bits put back where they were."""
    bits = sent[name].astype(numpy.uint32)
    bits <<= 16
    return bits.view(numpy.float32)


def like(name: str, shape: tuple[int, ...]) -> Arrays:
    """One array of uint16."""
    return {name: nothing(numpy.uint16, shape)}


def beside(name: str) -> set[str]:
    """Nothing."""
    return set()


def _upper_half(values: Numbers) -> Numbers:
    bits = values.view(numpy.uint32)
    # Half of what is cut off, less one where the last bit kept is even: then a tie does not carry. A NaN might.
    rounded = numpy.asarray(bits >> 16)
    rounded &= 1
    rounded += numpy.uint32(0x7FFF)
    rounded += bits
    rounded >>= 16
    half = rounded.astype(numpy.uint16)
    half[numpy.isnan(values)] = 0x7FC0
    return half
