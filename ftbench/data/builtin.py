"""The data sets and models that come with ftbench."""

from __future__ import annotations

from ftbench.data import codes
from ftbench.data.micro import domains, herbs
from ftbench.data.micro.world import Row, World
from ftbench.diagnostics import Diagnostic, did_you_mean
from ftbench.errors import InvalidInput

DATA_SETS: dict[str, World] = {world.name: world for world in (herbs.WORLD, *domains.WORLDS)}
"""Name in a spec's `source` → data set. Another world is another module in `micro/` and another name here."""

MODELS: dict[str, str] = {
    "micro": "49cee7c67a5c753011cca8f2763de30e3b766c702511884cd2cdbae111d38a20",
    "micro-domains": "abae8f77adc8a86142c2a62056e3c5ac2fcbae240d9311daf837d65861eb940b",
}
"""Name after `builtin/` → digest of its files, for who names a model without a revision."""


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
