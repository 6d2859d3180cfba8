"""Gaussian noise, drawn from the run's seed.

The seed is published with the result. So this noise has the effect on training that real noise has, which is what a
benchmark measures, and protects nobody against those who know the seed.
"""

from __future__ import annotations

import numpy

UPDATE, COUNT, CLIENT = 0x4E4F4953, 0x434F554E, 0x4C4F4341
"""Third word of the seed sequences of the server's noise, its noise on the count, and a client's own noise."""


def generator(seed: int, number: int, purpose: int, *more: int) -> numpy.random.Generator:
    """The stream of one purpose in round `number`."""
    return numpy.random.default_rng([seed, number, purpose, *more])


def one(deviation: float, source: numpy.random.Generator) -> float:
    """A single normal value."""
    return float(source.standard_normal() * deviation)
