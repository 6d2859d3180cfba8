"""The weighted mean of adapters, which every strategy begins with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy
from numpy.typing import NDArray

from ..arrays import Arrays

Weighted: TypeAlias = Sequence[tuple[float, Mapping[str, NDArray[Any]]]]
"""(weight, arrays) of each usable reply, in partition order. The arrays may be read from disk at each access."""
Exact: TypeAlias = NDArray[numpy.float64]

BLOCK = 2**17
"""Values that are added at a time: their products stay in a processor's cache, and take no memory worth counting."""


def add(total: Exact, array: NDArray[Any], weight: float) -> None:
    """total ← total + weight · array, in float64. `total` is contiguous."""
    into, values = total.reshape(-1), array.reshape(-1)
    for start in range(0, values.size, BLOCK):
        part = slice(start, start + BLOCK)
        into[part] += values[part].astype(numpy.float64) * weight


def whole(replies: Weighted) -> float:
    """The weight of all replies, Σ n. Raises ValueError where there is none."""
    total = float(sum(weight for weight, _ in replies))
    if not total > 0:
        raise ValueError("the mean of no weight is not defined")
    return total


def shares(replies: Weighted) -> list[float]:
    """Each reply's part of the whole weight, nₖ / Σ n. Raises ValueError where there is none."""
    total = whole(replies)
    return [weight / total for weight, _ in replies]


def weighted_mean(replies: Weighted, name: str) -> Exact:
    """Σ nₖ θₖ / Σ nₖ of one tensor, in the order given, in float64. Of one reply it is that reply, bit for bit, and
    where that is in float64 already no copy of it: not to be written to."""
    total = whole(replies)
    first = replies[0][1][name]
    if len(replies) == 1:
        return numpy.asarray(first, dtype=numpy.float64)
    mean: Exact = numpy.zeros(first.shape, dtype=numpy.float64)
    for weight, arrays in replies:
        add(mean, arrays[name], weight)
    mean /= total
    return mean


def means(replies: Weighted, names: Iterable[str]) -> Arrays:
    """The weighted means of these tensors, each rounded once to float32."""
    whole(replies)  # where there are no tensors, too, nobody's answer is an error
    return {name: weighted_mean(replies, name).astype(numpy.float32) for name in names}
