"""The order in which a client sees its examples."""

from __future__ import annotations

from collections.abc import Iterator

import numpy


def order(examples: int, seed: int) -> Iterator[int]:
    """Endless positions: a permutation, then the next permutation of the same generator, and so on.

    The seed differs from round to round, and so does the first permutation. A batch may span two permutations.
    """
    if examples < 1:
        raise ValueError("there are no examples to order")
    generator = numpy.random.default_rng(seed)
    while True:
        yield from (int(position) for position in generator.permutation(examples))
