"""Why each diagnostic is said and how to mend it: the texts of explained.toml, by code."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path
from typing import NamedTuple


class Explained(NamedTuple):
    """What stands beside a code's meaning."""

    why: str
    """Why it is said: what would go wrong otherwise, or what it points at."""
    mend: str
    """What to do about it."""


@cache
def explained() -> dict[str, Explained]:
    """Code → its explanation, for every code of ftbench and every check of the ladder."""
    found = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
    return {code: Explained(**texts) for code, texts in found.items()}
