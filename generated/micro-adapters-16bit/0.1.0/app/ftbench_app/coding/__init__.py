"""One array of numbers as it is sent: one module a coding, found by the spec's `transport.down` and `transport.up`.

Each module has `encode(name, values)`, the arrays that are sent for one array of float32 or float64 numbers;
`decode(name, sent)`, the float32 array that was sent under that name, always a new one; `like(name, shape)`, arrays
with the names, dtypes and shapes that `encode` gives, which take no memory; and `beside(name)`, the names of what is
sent beside the array itself. A compiled benchmark holds the codings that its spec allows, so each is imported when it
is asked for.

What is not finite stays so.
"""

from __future__ import annotations

import functools
import importlib
from pathlib import Path
from typing import Any, Protocol

import numpy
from numpy.typing import NDArray

from ..arrays import Arrays

FLOAT32 = "float32"
"""As it is: nothing is lost."""

Numbers = NDArray[Any]


class Coding(Protocol):
    """What the module of a coding has."""

    def encode(self, name: str, values: Numbers) -> Arrays:
        """The arrays that are sent for one array, under their names."""

    def decode(self, name: str, sent: Arrays) -> Numbers:
        """The float32 array that was sent under `name`."""

    def like(self, name: str, shape: tuple[int, ...]) -> Arrays:
        """Arrays as `encode` gives them for that shape."""

    def beside(self, name: str) -> set[str]:
        """Names of what is sent beside the array."""


@functools.cache
def find_coding(kind: str) -> Coding:
    """The coding of that kind. Raises ValueError where this benchmark has none."""
    if not (Path(__file__).parent / f"{kind}.py").is_file():
        raise ValueError(f"there is no coding {kind!r}")
    found: Coding = importlib.import_module(f".{kind}", __name__)
    return found


def nothing(dtype: Any, shape: tuple[int, ...]) -> Numbers:
    """An array of zeros that takes no memory."""
    return numpy.broadcast_to(numpy.zeros((), dtype=dtype), shape)
