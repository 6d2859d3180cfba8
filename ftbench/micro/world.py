"""What a micro world is: splits of rows, and unlabelled text in which what the rows ask about is described."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Row = dict[str, Any]
"""Column → str, int, float, bool, None or a list of these."""


@dataclass(frozen=True, slots=True)
class World:
    """An invented world, told twice: as text for pre-training and as rows for tuning and testing.

    A world is a module beside this one that ends in `WORLD = World(...)`; `ftbench.data.builtin` lists it.
    """

    name: str
    """Name of the built-in data set in a spec's `source`."""
    licence: str
    """Licence of its rows (SPDX expression)."""
    summary: str
    """What the world is about, in one line."""
    splits: Mapping[str, Callable[[], list[Row]]]
    """Split → function that makes its rows, the same at every call."""
    text: Callable[[int], list[str]]
    """Number of lines → that many lines of unlabelled text, the same at every call."""
