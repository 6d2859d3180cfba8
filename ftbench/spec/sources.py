"""Where rows come from."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import Field

from ftbench.spec.primitives import REPOSITORY, Block, Commit, Count, Name, Sha256


class BuiltinSource(Block):
    """Data that comes with ftbench, made by a seeded script in its repository."""

    kind: Literal["builtin"]
    """Where the rows come from."""
    name: Name
    """Name of the built-in data set."""
    split: Name
    """Which part of it."""


class Subset(Block):
    """A seeded part: the first ceil(rows / divisor) of numpy's `default_rng(seed).permutation(rows)`, in that order."""

    seed: Annotated[int, Field(ge=0, lt=2**32)]
    """Seed of the permutation."""
    divisor: Annotated[int, Field(ge=2, le=1000)]
    """One row in so many."""


class _FileSource(Block):
    """What a source made of data files says of them, wherever they come from."""

    files: Annotated[list[Annotated[str, Field(min_length=1, max_length=300)]], Field(min_length=1, max_length=200)]
    """Paths, `*` and `?` as in a shell: in the repository, or for `file` relative to the spec's own folder. Rows are
    joined in this order, matches of one sorted."""
    sha256: Sha256 | None = None
    """Digest of the single file, where it is known."""
    format: Literal["parquet", "csv", "json", "jsonl", "zip-text"]
    """How the files are read. `zip-text`: `member` of a zip archive, one row a line, in the column `text`."""
    member: str | None = None
    """Path inside the archive, for `zip-text`."""
    normalise: Name | None = None
    """Named step from the source's rows to plain columns (`ftbench list normalisers`); null: none."""
    subset: Subset | None = None
    """Part of the normalised rows; null: all."""
    rows: Count | None = None
    """Rows that this must come to, after `normalise` and `subset`, where it is known; `ftbench lock` refuses another
    number."""
    redistribute: Literal["no"] | None = None
    """`no`: the terms of a test set forbid to pass its text on, so a result bundle holds digests of prompts and options
    in place of them, and who verifies it needs the data. null: its text may be in bundles."""


class HubSource(_FileSource):
    """Files of a data set repository on the Hugging Face hub at one commit. No loading script is ever run."""

    kind: Literal["hub"]
    """Where the rows come from."""
    repo: Annotated[str, Field(pattern=REPOSITORY, max_length=120)]
    """Repository of type data set: OWNER/NAME."""
    revision: Commit | None
    """Commit; null: not known yet. `ftbench lock` resolves it into the pins, until then the spec stays a draft."""


class FileSource(_FileSource):
    """Files beside the spec. `ftbench lock` digests their rows into the store; the spec hash knows that digest, and
    neither the files' names nor their format."""

    kind: Literal["file"]
    """Where the rows come from."""
    licence: Annotated[str, Field(min_length=1, max_length=100)] | None = None
    """Licence of the data (SPDX expression where there is one), for the pins; null: unknown. On the hub the repository
    says it."""

    def hashed(self) -> FileSource:
        """The source without what says where its bytes lie and how they are packed: what a plan keeps of it."""
        gone = {"files": [ROWS], "format": "jsonl", "member": None, "sha256": None, "licence": None}
        return self.model_copy(update=gone)

    @property
    def nameless(self) -> bool:
        """Whether it is a plan's, which says nothing of files."""
        return self.files == [ROWS]

    def names(self, found: Iterable[str]) -> bool:
        """Whether `files` names each of these paths, and each of its patterns one of them."""
        paths = set(found)
        hits = [{path for path in paths if matches(pattern, path)} for pattern in self.files]
        return all(hits) and set().union(*hits) == paths


class SitesSource(Block):
    """Rows that stay where they are. Each site checks and locks its own (`ftbench site-kit join`) and hands out counts
    and a salted digest; the pins are made of these. For training data only."""

    kind: Literal["sites"]
    """Where the rows come from."""
    sites: Annotated[list[Name], Field(min_length=2, max_length=10_000)]
    """Names of the sites. A site is a client, in this order."""


class CanarySource(Block):
    """The canaries that `evaluation.canaries` plants. ftbench writes this itself, of a task that nobody writes."""

    kind: Literal["canaries"]
    """Where the rows come from."""
    seed: Annotated[int, Field(ge=0, lt=2**32)]
    """The spec's `seeds.partition`."""
    count: Annotated[int, Field(ge=1, le=256)]
    """How many canaries."""
    candidates: Annotated[int, Field(ge=4, le=1024)]
    """How many secrets are compared."""


UNWRITTEN = frozenset({"canaries"})
"""Kinds that no author writes, so that no message offers them."""
ROWS = "(rows)"
"""What stands for the files of a `file` source in a plan: its rows, which the pins name by digest."""


def matches(pattern: str, path: str) -> bool:
    """Whether a path or shell pattern of `files` names `path`; `*` and `?` do not cross a `/`."""
    return re.fullmatch(re.escape(pattern).replace(r"\*", "[^/]*").replace(r"\?", "[^/]"), path) is not None


ColumnType = Literal["text", "integer", "number"]
"""What a column can be said to hold."""


class TypedColumn(Block):
    """A column of the source with the type that its values are read as."""

    column: Annotated[str, Field(min_length=1)]
    """The source's name of it."""
    type: ColumnType
    """`integer`, `number`: texts that spell one become numbers; `text`: whole numbers, of any length, become their
    digits. Any other value is refused by `ftbench lock`."""


Columns = dict[str, str | TypedColumn]
"""Our column name → the source's, with its type where the file cannot say it."""


def source_column(value: str | TypedColumn) -> str:
    """The source's name of a column."""
    return value if isinstance(value, str) else value.column


Source = Annotated[BuiltinSource | HubSource | FileSource | CanarySource, Field(discriminator="kind")]
TrainSource = Annotated[BuiltinSource | HubSource | FileSource | SitesSource, Field(discriminator="kind")]
AnySource = Source | TrainSource
