"""Paths into a spec: `evaluation.tasks[0].name` for people, a tuple of keys and indices inside."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

Path = tuple[str | int, ...]


def show(path: Sequence[str | int]) -> str:
    """`("evaluation", "tasks", 0, "name")` → `evaluation.tasks[0].name`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def resolve(value: Any, text: str) -> Path | None:
    """The path that `text` names inside `value`, or None. A key that holds dots itself (a knob's) is found too.

    Lists take `tasks[0]`, `tasks.0` or, where items have a name, `tasks.NAME`.
    """
    words = re.sub(r"\[([^\[\]]*)\]", r".\1", text).split(".")
    path: list[str | int] = []
    while words:
        for length in range(len(words), 0, -1):
            key = _key(value, ".".join(words[:length]))
            if key is not None:
                path.append(key)
                value = value[key]
                del words[:length]
                break
        else:
            return None
    return tuple(path)


def _key(value: Any, word: str) -> str | int | None:
    if isinstance(value, dict):
        return word if word in value else None
    if not isinstance(value, list):
        return None
    if word.isascii() and word.isdigit() and len(word) < 7:
        return int(word) if int(word) < len(value) else None
    names = [item.get("name") if isinstance(item, dict) else None for item in value]
    return names.index(word) if word in names else None


def get(value: Any, path: Sequence[str | int]) -> Any:
    """What stands at `path`. Raises KeyError, IndexError or TypeError where it leads nowhere."""
    for part in path:
        value = value[part]
    return value


def put(value: Any, path: Sequence[str | int], new: Any) -> None:
    """Set what stands at `path`, in place."""
    get(value, path[:-1])[path[-1]] = new
