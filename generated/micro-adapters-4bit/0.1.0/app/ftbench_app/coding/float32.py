"""float32: every number as it is."""

from __future__ import annotations

import numpy

from ..arrays import Arrays
from . import Numbers, nothing


def encode(name: str, values: Numbers) -> Arrays:
    """One array. What float32 cannot hold becomes infinite."""
    with numpy.errstate(over="ignore"):
        return {name: values.astype(numpy.float32)}


def decode(name: str, sent: Arrays) -> Numbers:
    """A copy."""
    return sent[name].astype(numpy.float32)


def like(name: str, shape: tuple[int, ...]) -> Arrays:
    """One array."""
    return {name: nothing(numpy.float32, shape)}


def beside(name: str) -> set[str]:
    """Nothing."""
    return set()
