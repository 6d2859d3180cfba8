"""The path that was meant: `adapter.rank` for `rank`, `strategy.kind` for `federation.strategy`."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from functools import cache

from ftbench.spec.fields import Shape
from ftbench.spec.primitives import Block

TELLS = "kind"
"""The field of a block that says which it is."""
MOST = 2
"""Paths that one hint names."""


def hint(model: type[Block], name: str, given: object = "") -> str:
    """`did you mean …?` with the paths of `model` that end as `name` does, or nearly so; empty where none does.

    `given`: what was written there; a block is meant whole where it is a mapping, else by its `kind`.
    """
    paths = known(model)
    if name in paths:
        return ""  # it is there, for another kind of the same block
    words = name.split(".")
    ends = [path for path in paths if path.rpartition(".")[2] == words[-1] and path != name]
    if not ends:
        last = get_close_matches(words[-1], {path.rpartition(".")[2] for path in paths}, n=1, cutoff=0.75)
        ends = [path for path in paths if last and path.rpartition(".")[2] == last[0] and path != name]
    shared = [path for path in ends if set(path.split(".")[:-1]) & set(words[:-1])]
    least = min((path.count(".") for path in ends), default=0)
    found = shared or [path for path in ends if path.count(".") == least]
    told = [f"{path}.{TELLS}" if not isinstance(given, dict) and f"{path}.{TELLS}" in paths else path for path in found]
    told = [path for path in dict.fromkeys(told) if path != name]
    return f"did you mean {' or '.join(f'`{path}`' for path in told[:MOST])}?" if told else ""


@cache
def known(model: type[Block]) -> tuple[str, ...]:
    """Every path of a model outside of lists, in the order of its fields."""
    return tuple(dict.fromkeys(_paths(Shape(model), "")))


def _paths(shape: Shape, prefix: str) -> Iterator[str]:
    for member in shape.members:
        for name, field in member.fields.items():
            path = f"{prefix}.{name}" if prefix else name
            yield path
            yield from _paths(field, path)
