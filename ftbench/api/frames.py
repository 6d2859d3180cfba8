"""Rows as a pandas DataFrame where pandas is installed, else as they are."""

from __future__ import annotations

from importlib import import_module
from typing import Any

Rows = list[dict[str, Any]]


def frame(rows: Rows) -> Any:
    """A `pandas.DataFrame` with the rows' keys as columns; without pandas the list of dicts itself."""
    try:
        pandas = import_module("pandas")
    except ModuleNotFoundError:
        return rows
    return pandas.DataFrame.from_records(rows)
