"""Arrays read where they lie in bytes that somebody else sent."""

from __future__ import annotations

import io
import json
from typing import Any

import numpy
import pytest
from safetensors.numpy import save

from ftbench.app import packed

ARRAYS = {
    "b": numpy.arange(6, dtype="f4").reshape(2, 3),
    "a": numpy.array(2.5, dtype="f8"),
    "none": numpy.zeros((0, 4), dtype="u2"),
    "c": numpy.array([-1, 3], dtype="i1"),
}


def file(header: Any, body: bytes = b"") -> memoryview:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return memoryview(len(text).to_bytes(8, "little") + text + body)


def one(**changes: Any) -> dict[str, Any]:
    return {"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8], **changes}}


def test_what_safetensors_writes_is_read() -> None:
    found = packed.views(memoryview(save(ARRAYS, metadata={"format": "pt"})))
    assert found.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        assert found[name].dtype == array.dtype and numpy.array_equal(found[name], array)
        assert not found[name].flags.writeable


def test_an_array_of_bytes_as_flower_holds_it() -> None:
    buffer = io.BytesIO()
    numpy.save(buffer, numpy.frombuffer(b"some bytes", dtype="u1"))
    assert bytes(packed.payload(buffer.getvalue())) == b"some bytes"


@pytest.mark.parametrize("array", [numpy.zeros(4, dtype="f4"), numpy.zeros((2, 2), dtype="u1")])
def test_what_is_no_array_of_bytes(array: Any) -> None:
    buffer = io.BytesIO()
    numpy.save(buffer, array)
    with pytest.raises(ValueError, match="header says"):
        packed.payload(buffer.getvalue())
    with pytest.raises(ValueError, match="magic"):
        packed.payload(b"not numpy's")
    with pytest.raises(ValueError, match="header says"):
        packed.payload(buffer.getvalue()[:-1])


@pytest.mark.parametrize(
    "data",
    [
        memoryview(b""),
        memoryview(b"\x00" * 4),
        memoryview((2**63).to_bytes(8, "little")),
        file(b"[", b""),
        file([], b""),
        file(one(), b"1234567"),
        file(one(), b"123456789"),
        file(one(data_offsets=[4, 12]), b"0" * 12),
        file(one(data_offsets=[-8, 0]), b"0" * 8),
        file(one(shape=[-1, -2]), b"0" * 8),
        file(one(shape=[3]), b"0" * 8),
        file(one(shape=["2"]), b"0" * 8),
        file(one(dtype="BF16", shape=[4]), b"0" * 8),
        file({**one(), "b": one()["a"]}, b"0" * 8),
    ],
)
def test_what_does_not_read_is_an_ordinary_error(data: memoryview) -> None:
    with pytest.raises((ValueError, TypeError, KeyError, AttributeError)):
        packed.views(data)
