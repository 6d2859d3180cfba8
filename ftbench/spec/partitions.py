"""How training rows are dealt to clients: one block for each kind, with its own parameters.

Shares are files in the store; only `ftbench.data.partition` knows how a kind deals.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from ftbench.spec.primitives import Block, Count

Column = Annotated[str, Field(min_length=1, max_length=200)]


class IidPartition(Block):
    """Rows are shuffled with the partition seed and dealt in equal, contiguous shares."""

    kind: Literal["iid"]
    """How rows are dealt to clients."""


class DirichletPartition(Block):
    """Labels are mixed by draws from a Dirichlet distribution: the smaller alpha, the fewer labels a client has.

    `draw: clients` (arXiv 1909.06335): each client draws its mix of labels from Dir(alpha · p), where p is the mix of
    all rows, and takes its equal share of the rows by it, client by client. A label that is used up leaves the mix.
    `draw: labels` (arXiv 1905.12022): each label draws its shares from Dir(alpha, …, alpha) over the clients, so that
    sizes differ too; all is drawn again, 1000 times at most, until each client has `min_rows`.
    """

    kind: Literal["dirichlet"]
    """How rows are dealt to clients."""
    label: Column
    """The column of `data.columns` whose values are mixed."""
    alpha: Annotated[float, Field(ge=1e-3, le=1e6)]
    """Concentration: towards 0 a client has one label, towards infinity everyone has the mix of all rows."""
    draw: Literal["clients", "labels"]
    """Who draws: each client its mix of labels, with equal sizes, or each label its shares of the clients."""
    min_rows: Count | None = None
    """With `draw: labels` the fewest rows of a client; else null."""


class PathologicalPartition(Block):
    """Each client has rows of exactly so many labels (arXiv 2102.02079).

    Labels in a seeded order are dealt round and round, and the rows of a label in equal shares to those who have it.
    """

    kind: Literal["pathological"]
    """How rows are dealt to clients."""
    label: Column
    """The column of `data.columns` whose values are dealt."""
    classes: Count
    """Labels that each client has; with all clients there must be enough for every label."""


class ShardPartition(Block):
    """Rows are sorted by label and cut into equal shards; each client gets some at random (arXiv 1602.05629)."""

    kind: Literal["shard"]
    """How rows are dealt to clients."""
    label: Column
    """The column of `data.columns` that rows are sorted by; inside a label they are shuffled."""
    shards: Count
    """Shards that each client gets; clients × shards are cut."""


class NaturalPartition(Block):
    """Rows of one user, source or other group stay together."""

    kind: Literal["natural"]
    """How rows are dealt to clients."""
    group: Column
    """The column of `data.columns` that says whose a row is."""
    deal: Literal["one-each", "in-turn"]
    """`one-each`: a client is a group, in the order of their values; there must be as many clients as groups.
    `in-turn`: the groups, in a seeded order, go to the clients in turn, so that one may hold several."""


class SizeSkewPartition(Block):
    """Rows are shuffled, and the clients' sizes rise from the first to the last."""

    kind: Literal["size-skew"]
    """How rows are dealt to clients."""
    growth: Literal["linear", "exponential"]
    """Sizes rise by equal steps, or by equal factors."""
    ratio: Annotated[float, Field(gt=1, le=1e6)]
    """How many times the first client's rows the last one has, before rounding to whole rows."""


class SitesPartition(Block):
    """Each site of `data.source: {kind: sites}` is a client and holds its own rows; nothing is dealt."""

    kind: Literal["sites"]
    """How rows are dealt to clients."""


Partition = Annotated[
    IidPartition
    | DirichletPartition
    | PathologicalPartition
    | ShardPartition
    | NaturalPartition
    | SizeSkewPartition
    | SitesPartition,
    Field(discriminator="kind"),
]


def column(block: Block) -> str | None:
    """The field of a partition block that names a column: `label`, `group`, or None where the kind reads no row."""
    return next((name for name in ("label", "group") if name in type(block).model_fields), None)
