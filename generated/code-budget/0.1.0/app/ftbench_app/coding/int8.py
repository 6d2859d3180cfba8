"""int8: 8-bit whole numbers with their scales.

q = round(x / s) in −127 … 127 with a float32 scale s = max |x| / 127, rounded up; at most s / 2 is lost. A matrix has
one scale for each slice along its shorter axis: a row of LoRA's A and a column of its B, one direction of rank. Other
arrays have one scale. NaN and infinity make their whole slice NaN.
"""

from __future__ import annotations

import numpy

from ..arrays import Arrays
from . import Numbers, nothing

SCALE = "::scale"
"""Ending of the name under which the scales of an array are sent."""
STEPS = 127
LARGEST = float(numpy.finfo(numpy.float32).max)


def encode(name: str, values: Numbers) -> Arrays:
    """The whole numbers, and the scales."""
    scales = _scales(values)
    return {name: _steps(values, scales), name + SCALE: scales.reshape(-1)}


def decode(name: str, sent: Arrays) -> Numbers:
    """Each number times its scale."""
    array = sent[name]
    scales = sent[name + SCALE].astype(numpy.float64).reshape(scales_shape(array.shape))
    with numpy.errstate(invalid="ignore"):  # 0 · ∞
        exact = array * scales
    # The scale was rounded up, so the largest float32 may come out a little above itself.
    return numpy.where(numpy.isfinite(scales), exact.clip(-LARGEST, LARGEST), numpy.nan).astype(numpy.float32)


def like(name: str, shape: tuple[int, ...]) -> Arrays:
    """The whole numbers, and the scales."""
    count = int(numpy.prod(scales_shape(shape)))
    return {name: nothing(numpy.int8, shape), name + SCALE: nothing(numpy.float32, (count,))}


def beside(name: str) -> set[str]:
    """The scales."""
    return {name + SCALE}


def scales_shape(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape in which an array's scales are multiplied with it: ones, but for a matrix's shorter axis (or rows)."""
    if len(shape) != 2:
        return (1,) * len(shape)
    return (shape[0], 1) if shape[0] <= shape[1] else (1, shape[1])


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
