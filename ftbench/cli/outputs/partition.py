"""What `ftbench partition` prints with `--json`."""

from __future__ import annotations

from typing import Literal

from ftbench.spec.model import Partition, Sha256
from ftbench.spec.primitives import Block


class ClientShare(Block):
    """What one client holds."""

    partition: int
    """Partition id."""
    rows: int
    """Number of rows."""
    labels: dict[str, int] | None
    """Value of the column → rows with it; null where no column was looked at."""
    distance: float | None
    """Total variation distance of its label distribution from that of all clients' rows together, 0 to 1."""


class PartitionOutput(Block):
    """`ftbench partition`."""

    format: Literal["ftbench/output/partition/v1"] = "ftbench/output/partition/v1"
    """Format of this document."""
    spec: str
    """The argument, as given."""
    partition: Partition
    """How the rows are dealt."""
    digest: Sha256
    """Digest of the partition, as pinned."""
    rows: int
    """Rows of all clients together."""
    validation_rows: int
    """Rows set aside before."""
    smallest: int
    """Rows of the client with the fewest."""
    largest: int
    """Rows of the client with the most."""
    column: str | None
    """The column whose values are counted; null where none was looked at."""
    labels: dict[str, int] | None
    """Value of the column → rows of all clients together."""
    heterogeneity: float | None
    """Plain mean over clients of `distance`."""
    clients: list[ClientShare]
    """By partition id."""
    exported: list[str]
    """Files of each client's own rows that were written, by partition id."""
