"""Gaussian noise, drawn from the run's seed, or by an operator's switch from the operating system.

The seed is published with the result. So this noise has the effect on training that real noise has, which is what a
benchmark measures, and protects nobody against those who know the seed. With the switch nobody can draw it again, the
operator included: it is written nowhere.
"""

from __future__ import annotations

import math
import os
from typing import Any, Protocol

import numpy
from numpy.typing import NDArray

UPDATE, COUNT, CLIENT = 0x4E4F4953, 0x434F554E, 0x4C4F4341
"""Third word of the seed sequences of the server's noise, its noise on the count, and a client's own noise."""


SWITCH = "FTBENCH_OS_NOISE"
"""Environment variable: `1` takes noise from the operating system. Set where the noise is added: at the server, for
local privacy at every client."""


class Source(Protocol):
    """Where normal values come from."""

    def standard_normal(self, size: Any = None, /) -> Any:
        """A value, or an array of that shape, in float64."""
        ...


class OperatingSystem:
    """Normal values made of os.urandom alone (Box and Muller, 1958)."""

    def standard_normal(self, size: Any = None, /) -> Any:
        """See `Source`."""
        count = 1 if size is None else math.prod(size)
        radius = numpy.sqrt(-2 * numpy.log(_uniform(count)))
        found = radius * numpy.cos(2 * numpy.pi * _uniform(count))
        return float(found[0]) if size is None else found.reshape(size)


def _uniform(count: int) -> NDArray[numpy.float64]:
    """Above 0, at most 1, in steps of 2^-53."""
    words = numpy.frombuffer(os.urandom(8 * count), dtype=numpy.uint64) >> numpy.uint64(11)
    return (words.astype(numpy.float64) + 1) * 2.0**-53


def secret() -> bool:
    """Whether noise comes from the operating system in this process."""
    return os.environ.get(SWITCH) == "1"


def generator(seed: int, number: int, purpose: int, *more: int) -> Source:
    """The stream of one purpose in round `number`."""
    if secret():
        return OperatingSystem()
    return numpy.random.default_rng([seed, number, purpose, *more])


def one(deviation: float, source: Source) -> float:
    """A single normal value."""
    return float(source.standard_normal() * deviation)
