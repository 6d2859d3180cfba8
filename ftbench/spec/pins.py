"""The pins: digests of the data and partitions that a spec names, written by `ftbench lock`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from ftbench.spec.block import Block
from ftbench.spec.canonical import digest
from ftbench.spec.model import Federation, Sha256


class SourcePin(Block):
    """One data source after normalisation to our columns."""

    inputs: Sha256
    """Digest of the spec's `source` and `columns` that this pin was made from; another value makes the pin stale."""
    digest: Sha256
    """sha256 of the canonical rows in order, one RFC 8785 line each: the file's name in the store."""
    rows: Annotated[int, Field(ge=1)]
    """Number of rows."""
    licence: str
    """Licence of the data (SPDX expression where there is one)."""


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


class Pins(Block):
    """What the spec's references resolved to."""

    format: Literal["ftbench/pins/v1"] = "ftbench/pins/v1"
    """Format of this file."""
    sources: dict[str, SourcePin]
    """`train` and `task:NAME` → the pin of that source."""
    partition: PartitionPin
    """The training rows' partition."""


def source_inputs(source: Block, columns: dict[str, str]) -> str:
    """Digest that ties a source pin to the spec's `source` and `columns`."""
    return digest({"source": source.model_dump(mode="json"), "columns": columns})


def partition_inputs(train_digest: str, federation: Federation, partition_seed: int) -> str:
    """Digest that ties the partition pin to the training rows, the clients, the partition block and its seed."""
    return digest(
        {
            "train": train_digest,
            "clients": federation.clients,
            "partition": federation.partition.model_dump(mode="json"),
            "seed": partition_seed,
        }
    )
