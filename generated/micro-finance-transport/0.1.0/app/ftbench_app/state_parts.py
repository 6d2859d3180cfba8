"""State that several parts of the app keep together in one file: tensors are named `<part>/<tensor>`."""

from __future__ import annotations

from collections.abc import Mapping

from .arrays import Arrays, ordered

STRATEGY, PRIVACY, TRANSPORT = "strategy", "privacy", "transport"


def join(parts: Mapping[str, Arrays | None]) -> Arrays | None:
    """One set of arrays out of the parts that have something to keep; None where none has."""
    joined = {f"{part}/{name}": array for part, arrays in parts.items() for name, array in (arrays or {}).items()}
    return ordered(joined) if joined else None


def part(joined: Arrays | None, name: str) -> Arrays | None:
    """What one part kept; None where it kept nothing."""
    prefix = f"{name}/"
    found = {key.removeprefix(prefix): array for key, array in (joined or {}).items() if key.startswith(prefix)}
    return found or None
