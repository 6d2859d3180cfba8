"""One array on its way: bounds of what is lost, limits, what is not finite, and bytes exactly as computed."""

from __future__ import annotations

import itertools
from typing import Any

import numpy
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from ftbench.app import arrays as arr
from ftbench.app import coding
from ftbench.app.coding import int8
from ftbench.spec.transport import WIDTH, sent_bytes

CODINGS = tuple(WIDTH)

NAME = "m.lora_A.weight"
LARGEST = float(numpy.finfo("f4").max)
TINY = float(numpy.finfo("f4").smallest_subnormal)
FINITE = arrays.arrays(
    "f4",
    arrays.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=7),
    elements=st.floats(width=32, allow_nan=False, allow_infinity=False),
)


def there_and_back(kind: str, values: Any) -> Any:
    return coding.find_coding(kind).decode(NAME, coding.find_coding(kind).encode(NAME, values))


def scales(values: Any) -> Any:
    """The scale of every element, by the definition."""
    exact = numpy.abs(values.astype("f8"))
    if values.ndim != 2:
        return numpy.full(values.shape, exact.max(initial=0) / 127)
    axis = 1 if values.shape[0] <= values.shape[1] else 0
    return numpy.broadcast_to(exact.max(axis=axis, keepdims=True, initial=0) / 127, values.shape)


@given(FINITE)
@settings(max_examples=200, deadline=None)
def test_int8_loses_half_a_step_at_most(values: Any) -> None:
    back = there_and_back("int8", values)
    assert (back.dtype, back.shape) == (numpy.dtype("f4"), values.shape)
    # The scale is rounded up to a float32, and so is what is decoded.
    bound = scales(values) * (0.5 + 1e-5) + numpy.abs(values.astype("f8")) * 1e-6 + TINY
    assert (numpy.abs(back.astype("f8") - values) <= bound).all()


@given(FINITE)
@settings(max_examples=200, deadline=None)
def test_bf16_loses_a_256th_at_most(values: Any) -> None:
    back = there_and_back("bf16", values).astype("f8")
    near = numpy.abs(values) < 3.3e38  # what is beyond may be infinite
    assert (numpy.abs(back - values)[near] <= numpy.abs(values.astype("f8"))[near] / 256 + 2e-40).all()


@given(FINITE)
@settings(max_examples=100, deadline=None)
def test_float32_loses_nothing(values: Any) -> None:
    assert there_and_back("float32", values).tobytes() == values.tobytes()


@pytest.mark.parametrize("kind", CODINGS)
@given(values=FINITE)
@settings(max_examples=50, deadline=None)
def test_bytes_and_shapes_are_as_computed_and_announced(kind: Any, values: Any) -> None:
    sent = coding.find_coding(kind).encode(NAME, values)
    assert (
        arr.nbytes(sent)
        == sent_bytes(kind, values.shape)
        == arr.nbytes(coding.find_coding(kind).like(NAME, values.shape))
    )
    assert not arr.mismatch(sent, coding.find_coding(kind).like(NAME, values.shape))
    assert arr.from_record(arr.to_record(sent)).keys() == sent.keys()
    record = arr.from_record(arr.to_record(sent))
    assert all(record[name].tobytes() == array.tobytes() for name, array in sent.items())


def test_bf16_is_torch_s() -> None:
    """Every upper half with the lower halves about the ties, and random bits."""
    upper = numpy.arange(2**16, dtype="u4") << 16
    lower = numpy.array([0, 1, 0x7FFF, 0x8000, 0x8001, 0xFFFF], dtype="u4")
    random = numpy.random.default_rng(0).integers(0, 2**32, 200_000, dtype="u4")
    bits = numpy.concatenate([(upper[:, None] + lower).reshape(-1), random])
    values = bits.view("f4")
    ours = there_and_back("bf16", values)
    theirs = torch.from_numpy(values).to(torch.bfloat16).to(torch.float32).numpy()
    nan = numpy.isnan(values)
    assert (numpy.isnan(ours) == nan).all()
    assert ours[~nan].tobytes() == theirs[~nan].tobytes()


def test_what_int8_is_exact_for() -> None:
    steps = numpy.arange(-127, 128, dtype="f4").reshape(1, -1) * 0.25
    assert (there_and_back("int8", steps) == steps).all()
    constant = numpy.full((3, 4), -0.7, dtype="f4")
    assert numpy.allclose(there_and_back("int8", constant), constant, rtol=1e-6)
    sent = int8.encode(NAME, constant)
    assert (sent[NAME] == -127).all() and sent[NAME].dtype == numpy.int8
    assert sent[NAME + int8.SCALE].dtype == numpy.float32


@pytest.mark.parametrize("shape", [(3, 5), (5, 3), (4,), (), (0, 3), (3, 0), (2, 2, 2)])
@pytest.mark.parametrize("kind", CODINGS)
def test_zeros_stay_zero(kind: str, shape: tuple[int, ...]) -> None:
    back = there_and_back(kind, numpy.zeros(shape, dtype="f4"))
    assert back.shape == shape and not back.any()


@pytest.mark.parametrize("size", [LARGEST, LARGEST * 0.999, 1e38, 1e-38, 1e-42, TINY, 200 * TINY, 100 * TINY])
def test_huge_and_subnormal_numbers(size: float) -> None:
    values = (numpy.array([[1.0, -0.5, 0.25, 0.0]]) * size).astype("f4")
    back = there_and_back("int8", values)
    assert numpy.isfinite(back).all()
    step = max(abs(float(values[0, 0])) / 127, TINY)
    assert (numpy.abs(back.astype("f8") - values) <= step * (0.5 + 1e-5) + numpy.abs(values) * 1e-6).all()


@pytest.mark.parametrize("bad", [numpy.nan, numpy.inf, -numpy.inf])
@pytest.mark.parametrize("kind", CODINGS)
def test_what_is_not_finite_stays_so(kind: str, bad: float) -> None:
    values = numpy.ones((3, 8), dtype="f4")
    values[1, 4] = bad
    back = there_and_back(kind, values)
    assert not numpy.isfinite(back[1, 4])
    assert numpy.allclose(back[[0, 2]], 1, rtol=1e-6), "the other directions are as they were"
    if kind != "int8":
        assert numpy.array_equal(back, values, equal_nan=True)


@pytest.mark.parametrize("kind", CODINGS)
def test_the_layout_in_memory_does_not_matter(kind: str) -> None:
    values = numpy.random.default_rng(0).normal(size=(6, 9)).astype("f4")
    for other in (numpy.asfortranarray(values), values[::-1][::-1], values.astype("f8")):
        one, two = coding.find_coding(kind).encode(NAME, values), coding.find_coding(kind).encode(NAME, other)
        assert one.keys() == two.keys()
        assert all(one[name].tobytes() == two[name].tobytes() for name in one)


def test_one_scale_for_each_direction_of_rank() -> None:
    for (out, wide), rank in itertools.product([(7, 10), (40, 3)], [1, 2, 3]):
        assert int8.scales_shape((rank, wide)) == (rank, 1)
        assert int8.scales_shape((out, rank)) == (1, rank)
    assert int8.scales_shape((12,)) == (1,)
