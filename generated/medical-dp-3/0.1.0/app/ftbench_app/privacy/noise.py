"""Gaussian noise, drawn from the run's seed; or of a site's own, from its machine's randomness.

The seed is published with the result. So noise of it has the effect on training that real noise has, which is what a
benchmark measures, and protects nobody against those who know the seed. `Secret` protects, and cannot be drawn again.
"""

from __future__ import annotations

import os
from typing import Any

import numpy
from numpy.typing import NDArray

UPDATE, COUNT, CLIENT = 0x4E4F4953, 0x434F554E, 0x4C4F4341
"""Third word of the seed sequences of the server's noise, its noise on the count, and a client's own noise."""


def generator(seed: int, number: int, purpose: int, *more: int) -> numpy.random.Generator:
    """The stream of one purpose in round `number`."""
    return numpy.random.default_rng([seed, number, purpose, *more])


class Secret:
    """Normal values from the operating system's randomness, which nobody can draw again: the way of Box and Muller.

    They are floats of 64 bits: the gaps between such numbers tell a little of what they cover (Mironov 2012), which the
    rounding of the sum to float32 hides in part and no proof here covers.
    """

    def standard_normal(self, shape: tuple[int, ...]) -> NDArray[Any]:
        """Independent values of that shape, with mean 0 and deviation 1."""
        count = int(numpy.prod(shape, dtype=numpy.int64))
        words = numpy.frombuffer(os.urandom(16 * count), dtype="<u8").reshape(2, count)
        # 53 bits each; the first from (0, 1], of which there is a logarithm.
        above = numpy.array([[1.0], [0.0]])
        first, second = ((words >> numpy.uint64(11)).astype(numpy.float64) + above) * 2.0**-53
        values: NDArray[Any] = numpy.sqrt(-2.0 * numpy.log(first)) * numpy.cos(2.0 * numpy.pi * second)
        return values.reshape(shape)


def one(deviation: float, source: numpy.random.Generator) -> float:
    """A single normal value."""
    return float(source.standard_normal() * deviation)
