"""What is planned but does not run yet. It is refused by name, so that nothing in a spec is ever silently ignored.

When something begins to run, its word leaves this list and enters the model: one line here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ftbench import codes
from ftbench.spec.paths import Path, show
from ftbench.spec.problems import Problem


@dataclass(frozen=True, slots=True)
class Reserved:
    """Words that a field will take one day; no words: the field or block itself is reserved."""

    field: str
    """Path of the field; `*` stands for one key or index."""
    words: frozenset[object] = frozenset()
    """Values not supported yet."""
    instead: str = ""
    """What works today."""


def _words(field: str, *words: object, instead: str = "") -> Reserved:
    return Reserved(field, frozenset(words), instead)


RESERVED: tuple[Reserved, ...] = (_words("model.dtype", "float16", instead="float32 or bfloat16"),)


def reserved(value: Any) -> Iterator[Problem]:
    """A problem for everything reserved in a document, and in the choices of its knobs."""
    for entry in RESERVED:
        for path, there in _matches(value, entry.field.split("."), ()):
            if not entry.words:
                yield Problem(codes.RESERVED, path, f"`{show(path)}` is not supported yet", key=True)
            elif isinstance(there, str) and there in entry.words:
                yield _problem(path, f"`{show(path)}: {there}`", entry)
    knobs = value.get("knobs") if isinstance(value, dict) else None
    for name, knob in knobs.items() if isinstance(knobs, dict) else ():
        choices = knob.get("choices") if isinstance(knob, dict) else None
        for entry in RESERVED:
            if name == entry.field:
                if not entry.words:
                    yield Problem(codes.RESERVED, ("knobs", name), f"`{name}` is not supported yet", key=True)
                for number, choice in enumerate(choices if isinstance(choices, list) else ()):
                    if isinstance(choice, str) and choice in entry.words:
                        yield _problem(("knobs", name, "choices", number), f"`{name}: {choice}`", entry)


def _problem(path: Path, what: str, entry: Reserved) -> Problem:
    return Problem(
        codes.RESERVED, path, f"{what} is not supported yet", f"supported: {entry.instead}" if entry.instead else ""
    )


def _matches(value: Any, pattern: list[str], path: Path) -> Iterator[tuple[Path, Any]]:
    if not pattern:
        yield path, value
        return
    head, *rest = pattern
    if isinstance(value, dict):
        for key in value if head == "*" else [head] if head in value else []:
            yield from _matches(value[key], rest, (*path, key))
    elif isinstance(value, list) and head == "*":
        for number, item in enumerate(value):
            yield from _matches(item, rest, (*path, number))


def covered(problem: Problem, told: Path) -> bool:
    """Whether a problem follows from the reserved thing at `told`: a reserved `kind` explains its whole block."""
    around = told[:-1] if told[-1] in ("kind", "scoring") else told
    return problem.path[: len(around)] == around
