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


def shares(replies: Weighted) -> list[float]:
    """Each reply's part of the whole weight, nₖ / Σ n. Raises ValueError where there is none."""
    total = float(sum(weight for weight, _ in replies))
    if not total > 0:
        raise ValueError("the mean of no weight is not defined")
    return [weight / total for weight, _ in replies]


def weighted_mean(replies: Weighted, name: str) -> Exact:
    """Σ nₖ θₖ / Σ nₖ of one tensor, in the order given, in float64."""
    mean: Exact = numpy.zeros(replies[0][1][name].shape, dtype=numpy.float64)
    for share, (_, arrays) in zip(shares(replies), replies, strict=True):
        mean += arrays[name].astype(numpy.float64) * share
    return mean


def means(replies: Weighted, names: Iterable[str]) -> Arrays:
    """The weighted means of these tensors, each rounded once to float32."""
    shares(replies)  # where there are no tensors, too, nobody's answer is an error
    return {name: weighted_mean(replies, name).astype(numpy.float32) for name in names}
