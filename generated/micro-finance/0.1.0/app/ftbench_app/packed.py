"""Arrays of a safetensors file in a message's bytes, read where they lie: a reply is in memory once.

The bytes are somebody else's: whatever is wrong with them is a ValueError.
"""

from __future__ import annotations

import io
import json
import math
from typing import Any

import numpy
from numpy.typing import NDArray

DTYPES = {
    "BOOL": "?",
    "I8": "<i1",
    "I16": "<i2",
    "I32": "<i4",
    "I64": "<i8",
    "U8": "<u1",
    "U16": "<u2",
    "U32": "<u4",
    "U64": "<u8",
    "F16": "<f2",
    "F32": "<f4",
    "F64": "<f8",
}
"""safetensors' names of what numpy has as well."""
LENGTH = 8
"""Bytes that tell the length of the header."""


def payload(data: bytes) -> memoryview:
    """The bytes of an array of bytes that numpy wrote (format 1.0, as Flower's `Array` holds it)."""
    file = io.BytesIO(data)  # holds the same bytes
    if numpy.lib.format.read_magic(file) != (1, 0):
        raise ValueError("the array is not of numpy's format 1.0")
    shape, _, dtype = numpy.lib.format.read_array_header_1_0(file)
    view = memoryview(data)[file.tell() :]
    if dtype != numpy.uint8 or shape != (len(view),):
        raise ValueError(f"{len(view)} bytes came, its header says {dtype} of {shape}")
    return view


def views(data: memoryview) -> dict[str, NDArray[Any]]:
    """The arrays, which cannot be written to, by name. Each takes the bytes after the one before, to the last."""
    length = int.from_bytes(data[:LENGTH], "little")
    begin = LENGTH + length
    if begin > len(data):
        raise ValueError("its header is cut off")
    header = json.loads(bytes(data[LENGTH:begin]))
    header.pop("__metadata__", None)
    found: dict[str, NDArray[Any]] = {}
    expected = 0
    for name, told in sorted(header.items(), key=lambda item: item[1]["data_offsets"]):
        dtype, shape = numpy.dtype(DTYPES[told["dtype"]]), tuple(told["shape"])
        first, last = told["data_offsets"]
        if first != expected or last != first + math.prod(shape) * dtype.itemsize or last > len(data) - begin:
            raise ValueError(f"{name} does not lie where its header says")
        found[name] = numpy.ndarray(shape, dtype, buffer=data, offset=begin + first)
        expected = last
    if begin + expected != len(data):
        raise ValueError("bytes are left over")
    return found
