"""Short names for what entries chose: `rank=4 lr=2e-3` in tables, `rank4-mu0-01` for an entry that has no name."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from ftbench.spec.canonical import canonical, digest

LONGEST = 26
"""Characters of an entry's name (`ftbench.spec.primitives.Name`)."""
DIGITS = 6
"""Of the choices' digest, where a name does not tell two of them apart."""
MODEL = "model"
"""Path that stands for the base model."""
SHORT = {"learning_rate": "lr", "server_learning_rate": "server_lr", "final_learning_rate": "final_lr"}
"""Last part of a path → what tables call it."""


def differing(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Paths whose values are not the same in every row, in the order of names, the model first."""
    paths = sorted({path for row in rows for path in row}, key=lambda path: (path != MODEL, path))
    return [path for path in paths if len({canonical(row.get(path)) for row in rows}) > 1]


def labels(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """For each row the choices in which rows differ, such as `rank=4 lr=2e-3`; empty where nothing differs."""
    paths = differing(rows)
    named = _short(paths)
    return [" ".join(_choice(named[path], row[path]) for path in paths if row.get(path) is not None) for row in rows]


def name_of(choices: Mapping[str, Any]) -> str:
    """A name for an entry that chose these and has none of its own; two that chose otherwise are called otherwise."""
    short = "-".join(word(path, value) for path, value in choices.items() if value is not None)
    return short if 0 < len(short) <= LONGEST else cut(short, digest(dict(choices)))


def cut(name: str, whole: str) -> str:
    """A name shortened to the longest allowed, with digits of a digest that tell it apart."""
    return f"{name[: LONGEST - DIGITS - 1].rstrip('-') or 'setting'}-{whole[:DIGITS]}"


def word(path: str, value: Any) -> str:
    """`fedprox`, `rank4`, `mu0-01`; a model without owner and revision."""
    last = path.rpartition(".")[2].replace("_", "-")
    if path == MODEL:
        text = str(value).partition("@")[0].rpartition("/")[2]
    else:
        text = value if isinstance(value, str) else f"{last}{canonical(value).decode()}"
    found = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
    return found if found[:1].isalpha() else f"{last}{found}"


def number(value: float) -> str:
    """`4`, `0.1`, `2e-3`."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{value!r} is no number")
    if value == 0 or 0.01 <= abs(value) < 1e6:
        return f"{value:.6g}"
    digits, _, power = f"{value:.5e}".partition("e")
    return f"{digits.rstrip('0').rstrip('.')}e{int(power)}"


def _short(paths: Sequence[str]) -> dict[str, str]:
    """Last parts, or whole paths where two end alike."""
    lasts = [SHORT.get(last := path.rpartition(".")[2], last) for path in paths]
    return {path: last if lasts.count(last) == 1 else path for path, last in zip(paths, lasts, strict=True)}


def _choice(name: str, value: Any) -> str:
    if name == MODEL:
        return str(value).rpartition("/")[2]
    if isinstance(value, int | float) and not isinstance(value, bool):
        return f"{name}={number(value)}"
    return f"{name}={value if isinstance(value, str) else canonical(value).decode()}"
