"""The two factors of each adapted layer, A [rank, in] and B [out, rank]: their names, and cutting and padding them."""

from __future__ import annotations

from collections.abc import Iterable

import numpy
from numpy.typing import NDArray

from ..arrays import Arrays

A, B = ".lora_A.weight", ".lora_B.weight"
"""Endings of the two factors' names."""


def modules(names: Iterable[str]) -> list[str]:
    """The adapted layers, sorted."""
    return sorted(name.removesuffix(A) for name in names if name.endswith(A))


def rank_axis(name: str) -> int | None:
    """Which axis of the tensor counts the rank; None where none does."""
    return 0 if name.endswith(A) else 1 if name.endswith(B) else None


def fitted(arrays: Arrays, rank: int) -> Arrays:
    """The same with factors of this rank: cut to the first directions, or with zeros after them. Others as they are."""
    return {name: _fitted(array, rank_axis(name), rank) for name, array in arrays.items()}


def _fitted(array: NDArray[numpy.float32], axis: int | None, rank: int) -> NDArray[numpy.float32]:
    if axis is None or array.shape[axis] == rank:
        return array
    if array.shape[axis] > rank:
        return numpy.ascontiguousarray(array[:rank] if axis == 0 else array[:, :rank])
    missing = list(array.shape)
    missing[axis] = rank - array.shape[axis]
    return numpy.concatenate([array, numpy.zeros(missing, dtype=array.dtype)], axis=axis)
