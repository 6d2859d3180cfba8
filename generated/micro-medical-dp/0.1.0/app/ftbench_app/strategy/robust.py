"""Statistics of replies that a few hostile ones cannot move far. None is weighted: a client could claim any weight."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy

from .mean import Exact, Weighted

ROUNDING = 1e-9
"""trim × n is taken as whole where it is this near: 0.29 × 100 is 29, not 28.999…"""


def stacked(replies: Weighted, name: str) -> Exact:
    """One tensor of every reply, in float64, replies along the first axis. Raises ValueError where there is none."""
    if not replies or not sum(weight for weight, _ in replies) > 0:
        raise ValueError("no reply has anything to say")
    return numpy.stack([arrays[name].astype(numpy.float64) for _, arrays in replies])


def cut(trim: float, count: int) -> int:
    """How many of `count` values a trimmed mean leaves out at each end."""
    return math.floor(trim * count + ROUNDING)


def trimmed_mean(values: Exact, trim: float) -> Exact:
    """Coordinate by coordinate: the mean without the `cut` largest and the `cut` smallest values."""
    count = cut(trim, len(values))
    mean: Exact = numpy.sort(values, axis=0)[count : len(values) - count].mean(axis=0)
    return mean


def nearest(replies: Weighted, names: Sequence[str], byzantine: int, keep: int) -> list[int]:
    """Places of the `keep` replies with the least Krum scores, ascending; the first of equals counts as less.

    A reply's score is the sum of its squared distances, over all tensors, to the n − byzantine − 2 others nearest to
    it. Raises ValueError where n < 2 · byzantine + 3, for which Krum promises nothing.
    """
    count = len(replies)
    if count < 2 * byzantine + 3:
        raise ValueError(f"Krum against {byzantine} needs {2 * byzantine + 3} replies, and there are {count}")
    if not 1 <= keep <= count - byzantine:
        raise ValueError(f"of {count} replies, {byzantine} of them hostile, {keep} cannot be kept")
    squares = numpy.zeros((count, count))
    for name in names:
        values = stacked(replies, name)
        for one in range(count):
            for other in range(one):
                squares[one, other] += ((values[one] - values[other]) ** 2).sum()
    squares += squares.T
    scores = [numpy.sort(numpy.delete(row, k))[: count - byzantine - 2].sum() for k, row in enumerate(squares)]
    return sorted(sorted(range(count), key=lambda place: scores[place])[:keep])
