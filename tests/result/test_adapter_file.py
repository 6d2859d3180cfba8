from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftbench.errors import InvalidInput
from ftbench.result import adapter
from ftbench.spec.canonical import canonical, sha256

CONFIG = {"kind": "lora", "rank": 1, "alpha": 2.0, "dropout": 0.0, "targets": "all-linear"}
A = "base_model.model.q.lora_A.weight"
B = "base_model.model.q.lora_B.weight"
TENSORS = {B: adapter.Tensor((2, 1), bytes(8)), A: adapter.Tensor((1, 3), b"\0\0\x80?" * 3)}
FILE = adapter.write_tensors(TENSORS)


def with_header(header: object, body: bytes = bytes(20)) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + body


def one(**changes: object) -> dict[str, object]:
    return {"t": {"dtype": "F32", "shape": [5], "data_offsets": [0, 20]} | changes}


def test_round_trip() -> None:
    assert adapter.read_tensors(FILE, "x") == TENSORS
    assert adapter.parameters(TENSORS) == 5
    modules, strange = adapter.factors(TENSORS)
    assert modules == {"q": adapter.Factors((1, 3), (2, 1))} and strange == []


def test_digest_is_the_contract() -> None:
    rows = [[name, "float32", list(TENSORS[name].shape), sha256(TENSORS[name].data)] for name in (A, B)]
    due = sha256(b"ftbench/adapter/v1\n" + canonical({"config": CONFIG, "tensors": rows}))
    assert adapter.adapter_digest(FILE, CONFIG) == due
    assert adapter.adapter_digest(FILE, {**CONFIG, "alpha": 2}) == due, "2 and 2.0 are one number"
    assert adapter.adapter_digest(FILE, {**CONFIG, "alpha": 3}) != due


def test_library_reads_what_we_write_and_we_what_it_writes() -> None:
    numpy = pytest.importorskip("safetensors.numpy")
    read = numpy.load(FILE)
    assert read[A].tolist() == [[1.0, 1.0, 1.0]]
    assert adapter.read_tensors(numpy.save(read, metadata={"format": "pt"}), "x") == TENSORS


def test_not_finite() -> None:
    bad = {A: adapter.Tensor((1, 3), b"\0\0\xc0\x7f" * 3), B: TENSORS[B]}
    assert adapter.not_finite(bad) == [A] and adapter.not_finite(TENSORS) == []


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0" * 7,
        (2**62).to_bytes(8, "little") + b"{}",
        with_header([]),
        with_header(b"{"),
        with_header(b'{"t": 1, "t": 2}'),
        with_header({}),
        with_header(one(), bytes(19)),
        with_header(one(), bytes(24)),
        with_header(one(dtype="F16")),
        with_header(one(dtype="F32 ")),
        with_header(one(shape=[-5])),
        with_header(one(shape=[5.0])),
        with_header(one(shape=[True, 5])),
        with_header(one(shape=[2**40, 2**40])),
        with_header(one(data_offsets=[0, 2**60])),
        with_header(one(data_offsets=[20, 0])),
        with_header(one(extra=1)),
        with_header({**one(), "u": one()["t"]}),
        with_header({"__metadata__": {"a": 1}, **one()}),
        with_header({"t": {"dtype": "F32", "shape": [4], "data_offsets": [4, 20]}}),
    ],
)
def test_refused(data: bytes) -> None:
    with pytest.raises(InvalidInput):
        adapter.read_tensors(data, "x")


@given(st.integers(0, len(FILE) - 1), st.integers(1, 255))
def test_any_flip_is_refused_or_seen_in_the_digest(position: int, change: int) -> None:
    data = bytearray(FILE)
    data[position] ^= change
    try:
        found = adapter.adapter_digest(bytes(data), CONFIG)
    except InvalidInput:
        return
    # Blanks that fill up the header are all that the digest does not cover; the manifest does.
    assert found != adapter.adapter_digest(FILE, CONFIG) or data[position] in b" \t\n\r"
