"""The data sets that come with ftbench."""

from __future__ import annotations

from ftbench import codes
from ftbench.diagnostics import Diagnostic, did_you_mean
from ftbench.errors import InvalidInput
from ftbench.micro import apothecaries, domains, herbs, mixed
from ftbench.micro.world import Row, World

DATA_SETS: dict[str, World] = {
    world.name: world for world in (herbs.WORLD, apothecaries.WORLD, *domains.WORLDS, mixed.MIXED)
}
"""Name in a spec's `source` → data set. Another world is another module in `micro/` and another name here."""


def data_set(name: str) -> World:
    """The built-in data set of that name. Raises InvalidInput (FTB304)."""
    if name not in DATA_SETS:
        hint = did_you_mean(name, DATA_SETS) or f"there are: {', '.join(DATA_SETS)}"
        raise InvalidInput(Diagnostic(codes.UNKNOWN_DATA_SET, f"there is no built-in data set `{name}`", hint=hint))
    return DATA_SETS[name]


def rows(name: str, split: str) -> list[Row]:
    """All rows of one split, with all columns. Raises InvalidInput (FTB304, FTB305)."""
    world = data_set(name)
    if split not in world.splits:
        hint = did_you_mean(split, world.splits) or f"it has: {', '.join(world.splits)}"
        raise InvalidInput(Diagnostic(codes.UNKNOWN_SPLIT, f"data set `{name}` has no split `{split}`", hint=hint))
    return world.splits[split]()
