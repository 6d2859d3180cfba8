"""Reading a value of a spec by its dotted path."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def at(tree: Mapping[str, Any], path: str) -> Any:
    """The value at `training.schedule.learning_rate` and the like. Raises KeyError where there is none."""
    value: Any = tree
    for key in path.split("."):
        value = value[key]
    return value
