"""The pins: digests of the data and partitions that a spec names, written by `ftbench lock`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

from pydantic import Field

from ftbench.spec.canonical import digest
from ftbench.spec.model import Federation, Validation
from ftbench.spec.primitives import Block, Commit, Sha256
from ftbench.spec.sites import SiteCounts
from ftbench.spec.sources import Columns, FileSource


class SourcePin(Block):
    """One data source after normalisation to our columns."""

    inputs: Sha256
    """Digest of the spec's `source` and `columns` that this pin was made from; another value makes the pin stale."""
    revision: Commit | None = None
    """Commit that was loaded; null for built-in data and where it is not resolved yet."""
    digest: Sha256 | None
    """sha256 of the canonical rows in order, one RFC 8785 line each, and name in the store; null: not resolved."""
    rows: Annotated[int, Field(ge=1)] | None
    """Number of rows; null: not resolved."""
    licence: str
    """Licence of the data (SPDX expression where there is one)."""
    sites: Annotated[dict[str, SiteCounts] | None, Field(exclude_if=lambda value: value is None)] = None
    """Of a `sites` source: site → what it counted of its rows."""
    files: Annotated[dict[str, Sha256] | None, Field(exclude_if=lambda value: value is None)] = None
    """Of a `file` source: path relative to the spec → sha256 of the file that was read. In no plan and no hash."""


class PartitionPin(Block):
    """Which rows each client holds."""

    inputs: Sha256
    """Digest of what it was made from: the training rows' digest, clients, partition block and partition seed."""
    digest: Sha256
    """sha256 of the partition file in the store: RFC 8785 of a list of lists of row numbers, one list a client."""
    sizes: list[int]
    """Rows each client holds, by partition id."""
    digests: list[Sha256]
    """sha256 of each client's canonical rows in its order."""
    validation: Sha256 | None = None
    """sha256 of the file in the store with the validation cut's row numbers (a list of one list); null: no cut."""
    validation_rows: int = 0
    """Rows in the validation cut."""


class Pins(Block):
    """What the spec's references resolved to."""

    format: Literal["ftbench/pins/v1"] = "ftbench/pins/v1"
    """Format of this file."""
    sources: dict[str, SourcePin]
    """`train` and `task:NAME` → the pin of that source."""
    partition: PartitionPin | None
    """The training rows' partition; null while the training rows are not resolved."""

    @property
    def resolved(self) -> bool:
        """Whether every reference is a digest; until then a spec stays a draft and cannot be run."""
        return self.partition is not None and all(source.digest for source in self.sources.values())

    def hashed(self) -> Pins:
        """The pins as a plan has them: without the names of files."""
        bare = {key: pin.model_copy(update={"files": None}) for key, pin in self.sources.items()}
        return self.model_copy(update={"sources": bare})


def source_inputs(source: Block, columns: Columns, planted: Sequence[Mapping[str, str]] = ()) -> str:
    """Digest that ties a source pin to the spec's `source` and `columns`, and to the canaries that are `planted` among
    its rows; what changes no row is not in it."""
    if isinstance(source, FileSource):
        source = source.hashed()
    plain = {ours: theirs if isinstance(theirs, str) else theirs.model_dump() for ours, theirs in columns.items()}
    named = {"source": source.model_dump(mode="json", exclude={"redistribute"}), "columns": plain}
    return digest({**named, "planted": [dict(row) for row in planted]} if planted else named)


def partition_inputs(
    train_digest: str, federation: Federation, partition_seed: int, validation: Validation | None = None
) -> str:
    """Digest that ties the partition pin to the training rows, the clients, the partition block and its seed."""
    return digest(
        {
            "train": train_digest,
            "clients": federation.clients,
            "partition": federation.partition.model_dump(mode="json"),
            "seed": partition_seed,
            "validation": validation.model_dump(mode="json") if validation else None,
        }
    )
