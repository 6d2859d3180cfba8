"""Adapters as named float32 arrays: digest, metering, checks, and the record that Flower carries."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy
import rfc8785
from numpy.typing import NDArray

from . import packed

if TYPE_CHECKING:
    from flwr.app import ArrayRecord

Arrays: TypeAlias = dict[str, NDArray[Any]]
"""Tensor name (peft's adapter state names) → array. Kept in sorted order."""

DOMAIN = b"ftbench/adapter/v1\n"
PACKED = "safetensors"
"""Name of the one array of a record."""


def ordered(arrays: Mapping[str, NDArray[Any]]) -> Arrays:
    """The same arrays, sorted by name."""
    return {name: arrays[name] for name in sorted(arrays)}


def digest(config: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> str:
    """The adapter digest: adapter block in force, and name, dtype, shape and bytes of every tensor in name order."""
    tensors = [
        [name, "float32", list(array.shape), hashlib.sha256(numpy.ascontiguousarray(array, "<f4").data).hexdigest()]
        for name, array in sorted(arrays.items())
    ]
    return hashlib.sha256(DOMAIN + rfc8785.dumps({"config": dict(config), "tensors": tensors})).hexdigest()


def nbytes(arrays: Mapping[str, NDArray[Any]]) -> int:
    """Σ elements × itemsize: what communication is metered in."""
    return sum(array.size * array.itemsize for array in arrays.values())


def elements(arrays: Mapping[str, NDArray[Any]]) -> int:
    """Number of values: the trainable parameters."""
    return sum(array.size for array in arrays.values())


def mismatch(arrays: Mapping[str, NDArray[Any]], like: Mapping[str, NDArray[Any]]) -> str:
    """What differs in names, dtypes or shapes from `like`, in words; empty when nothing does."""
    missing, extra = sorted(like.keys() - arrays.keys()), sorted(arrays.keys() - like.keys())
    if missing or extra:
        return f"{len(missing)} arrays missing, {len(extra)} unknown, first {(missing or extra)[0]}"
    for name, array in arrays.items():
        if array.dtype != like[name].dtype:
            return f"{name} is {array.dtype}, not {like[name].dtype}"
        if array.shape != like[name].shape:
            return f"{name} has shape {list(array.shape)}, not {list(like[name].shape)}"
    return ""


def not_finite(arrays: Mapping[str, NDArray[Any]]) -> str:
    """Name of the first array that holds NaN or infinity; empty when none does."""
    return next((name for name, array in sorted(arrays.items()) if not numpy.isfinite(array).all()), "")


def not_float32(arrays: Mapping[str, NDArray[Any]]) -> str:
    """Name of the first array of another type; empty when there is none."""
    return next((name for name, array in sorted(arrays.items()) if array.dtype != numpy.float32), "")


def to_record(arrays: Mapping[str, NDArray[Any]]) -> ArrayRecord:
    """The arrays as Flower sends them: one array of bytes, which are those of a safetensors file.

    Flower's connection asks for every array twice, in requests of their own: many small ones would take longer than a
    round's training.
    """
    from flwr.app import Array, ArrayRecord  # here alone: whoever only trains needs no Flower
    from safetensors.numpy import save

    data = save({name: numpy.ascontiguousarray(array) for name, array in sorted(arrays.items())})
    return ArrayRecord({PACKED: Array(numpy.frombuffer(data, dtype=numpy.uint8))})


def from_record(record: ArrayRecord) -> Arrays:
    """The arrays of a received record. Raises ValueError where they cannot be read."""
    return {name: array.copy() for name, array in views(record).items()}


def views(record: ArrayRecord) -> Arrays:
    """The same where they lie in the record's own bytes, so that nothing is held twice; they cannot be written to."""
    try:
        return ordered(packed.views(packed.payload(record[PACKED].data)))
    except Exception as error:  # the bytes are somebody else's, and there are many ways of not reading them
        raise ValueError(f"its arrays cannot be read: {type(error).__name__}: {error}") from error


def declared_bytes(record: ArrayRecord) -> int:
    """Bytes of arrays that could not be read: what their own headers say, and no more than came."""
    total = 0
    for array in record.values():
        came = len(array.data)
        try:
            declared = math.prod(array.shape) * numpy.dtype(array.dtype).itemsize
        except (TypeError, ValueError, SyntaxError):
            declared = came
        total += min(max(declared, 0), came)
    return total
