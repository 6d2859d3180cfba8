"""One array of numbers as it is sent: in float32, in bfloat16 or as 8-bit whole numbers with their scales.

bf16: the upper 16 bits of a float32, rounded to nearest, ties to even (Kalamkar et al., arXiv 1905.12322); carried as
uint16, since Flower's ArrayRecord has no such type. At most 2⁻⁸ of a value is lost; above 3.3895e38 it is infinite.

int8: q = round(x / s) in −127 … 127 with a float32 scale s = max |x| / 127, rounded up; at most s / 2 is lost. A matrix
has one scale for each slice along its shorter axis: a row of LoRA's A and a column of its B, which is one direction of
rank. Other arrays have one scale.

What is not finite stays so: NaN and infinity in bf16 as they are, in int8 as a scale that makes its whole slice NaN.
"""

from __future__ import annotations

from typing import Any

import numpy
from numpy.typing import NDArray

from .arrays import Arrays

FLOAT32, BF16, INT8 = "float32", "bf16", "int8"
KINDS = (FLOAT32, BF16, INT8)
SCALE = "::scale"
"""Ending of the name under which the scales of an int8 array are sent."""
STEPS = 127
LARGEST = float(numpy.finfo(numpy.float32).max)

Numbers = NDArray[Any]


def encode(kind: str, name: str, values: Numbers) -> Arrays:
    """The arrays that are sent for one array, under their names. `values`: float32 or float64."""
    with numpy.errstate(over="ignore"):  # what float32 cannot hold becomes infinite
        if kind == FLOAT32:
            return {name: values.astype(numpy.float32)}
        if kind == BF16:
            return {name: _upper_half(values.astype(numpy.float32))}
    scales = _scales(values)
    return {name: _steps(values, scales), name + SCALE: scales.reshape(-1)}


def decode(kind: str, name: str, sent: Arrays) -> Numbers:
    """The float32 array that was sent under `name`. A new array."""
    array = sent[name]
    if kind == FLOAT32:
        return array.astype(numpy.float32)
    if kind == BF16:
        bits = array.astype(numpy.uint32)
        bits <<= 16
        return bits.view(numpy.float32)
    scales = sent[name + SCALE].astype(numpy.float64).reshape(scales_shape(array.shape))
    with numpy.errstate(invalid="ignore"):  # 0 · ∞
        exact = array * scales
    # The scale was rounded up, so the largest float32 may come out a little above itself.
    return numpy.where(numpy.isfinite(scales), exact.clip(-LARGEST, LARGEST), numpy.nan).astype(numpy.float32)


def like(kind: str, name: str, shape: tuple[int, ...]) -> Arrays:
    """Arrays with the names, dtypes and shapes that `encode` gives for an array of that shape; they take no memory."""
    if kind != INT8:
        return {name: _nothing(numpy.uint16 if kind == BF16 else numpy.float32, shape)}
    count = int(numpy.prod(scales_shape(shape)))
    return {name: _nothing(numpy.int8, shape), name + SCALE: _nothing(numpy.float32, (count,))}


def scales_shape(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape in which an array's scales are multiplied with it: ones, but for a matrix's shorter axis (or rows)."""
    if len(shape) != 2:
        return (1,) * len(shape)
    return (shape[0], 1) if shape[0] <= shape[1] else (1, shape[1])


def _nothing(dtype: Any, shape: tuple[int, ...]) -> Numbers:
    return numpy.broadcast_to(numpy.zeros((), dtype=dtype), shape)


def _upper_half(values: Numbers) -> Numbers:
    bits = values.view(numpy.uint32)
    # Half of what is cut off, less one where the last bit kept is even: then a tie does not carry. A NaN might.
    rounded = numpy.asarray(bits >> 16)
    rounded &= 1
    rounded += numpy.uint32(0x7FFF)
    rounded += bits
    rounded >>= 16
    half = rounded.astype(numpy.uint16)
    half[numpy.isnan(values)] = 0x7FC0
    return half


def _scales(values: Numbers) -> Numbers:
    """max |x| / 127 of each slice, as the least float32 that is no less; NaN and infinity go through."""
    one = scales_shape(values.shape)
    axes = tuple(axis for axis, length in enumerate(one) if length == 1)
    largest = numpy.max(numpy.abs(values), axis=axes, keepdims=True, initial=0.0).reshape(one).astype(numpy.float64)
    with numpy.errstate(over="ignore"):
        scales = (largest / STEPS).astype(numpy.float32)
    short = scales.astype(numpy.float64) * STEPS < largest  # false for NaN
    no_less: Numbers = numpy.where(short, numpy.nextafter(scales, numpy.float32(numpy.inf)), scales)
    return no_less


def _steps(values: Numbers, scales: Numbers) -> Numbers:
    """round(x / s), ties to even; 0 where s is 0 or not finite."""
    usable = numpy.isfinite(scales) & (scales > 0)
    with numpy.errstate(invalid="ignore"):
        steps = numpy.rint(values / numpy.where(usable, scales, 1.0).astype(numpy.float64))
    return numpy.where(usable, steps, 0).astype(numpy.int8)
