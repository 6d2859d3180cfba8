"""The entry: a participant's YAML, naming a base model and the knobs they set."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from ftbench.spec.model import BaseModelRef, Name
from ftbench.spec.primitives import REPOSITORY, REVISION, Block, Sha256


class EntryMetadata(Block):
    """What people read. Not part of the entry's digest."""

    name: Name
    """Name of the entry in tables."""
    title: str = ""
    """One line."""
    authors: list[str] = []
    """Who enters it."""
    description: str = ""
    """Anything a reader should know."""
    pair: Name | None = None
    """Name of the entry with the other variant of its base model: instruct or non-instruct."""
    source: str = ""
    """Where the choice comes from, such as a paper that has it."""


class ModelChoice(Block):
    """A base model, with its commit where it is known."""

    name: Annotated[str, Field(pattern=REPOSITORY, max_length=120)]
    """Repository on the hub, or `builtin/NAME` for a model that comes with ftbench."""
    revision: Annotated[str, Field(pattern=REVISION)] | None
    """Its commit, for a built-in model the digest of its files. null: the commit of the main branch when it is run,
    which is printed and recorded; name it here when you hand the entry in."""


class OpenPaths(Block):
    """Open division: modules of the entry's own, as paths of `.py` files relative to the entry's file."""

    strategy: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    """Module with a class `Strategy`, in the place of the spec's strategy."""
    client: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    """Module with a function `train`, in the place of the client's training."""


class OpenCode(Block):
    """Open division: the modules by digest."""

    strategy: Sha256 | None = None
    """Of the entry's own strategy; null: the spec's."""
    client: Sha256 | None = None
    """Of the entry's own training at the clients; null: the frozen one."""


class Entry(Block):
    """What one participant chose where the spec leaves a choice."""

    ftbench: Literal["entry/v1"]
    """Format of this file."""
    metadata: EntryMetadata
    """What people read."""
    model: ModelChoice | None = None
    """The base model; without it the spec's."""
    seed: Annotated[int, Field(ge=0, lt=2**32)] | None = None
    """One of the spec's `seeds.runs`; without it the first."""
    knobs: dict[str, Any] = {}
    """Path of a knob → the value chosen."""
    open: OpenPaths | None = None
    """Open division: code of the entry's own; its results stand in a table of their own. null: closed."""


class ResolvedEntry(Block):
    """An entry with every default filled in against one plan: what is run, digested and put in the bundle."""

    format: Literal["ftbench/entry/v1"] = "ftbench/entry/v1"
    """Format of this document."""
    metadata: EntryMetadata
    """What people read; not in the digest."""
    model: BaseModelRef
    """The base model."""
    seed: int
    """The run's seed."""
    knobs: dict[str, Any]
    """Every knob of the spec with the value in force, chosen or default (but `model.base`, which stands above)."""
    open: OpenCode | None = None
    """Open division: the entry's own modules. Left out where there are none, in files and in the digest."""
