"""Partitions whose parameters can hold together, as far as that is known without the rows."""

from __future__ import annotations

from collections.abc import Iterator

from ftbench import codes
from ftbench.diagnostics import did_you_mean
from ftbench.spec.model import Spec
from ftbench.spec.partitions import DirichletPartition, column
from ftbench.spec.problems import Problem

AT = ("federation", "partition")


def columns(spec: Spec) -> Iterator[Problem]:
    """The column that a partition goes by is one of `data.columns`: any other is dropped before rows are dealt."""
    block = spec.federation.partition
    field = column(block)
    if field is None:
        return
    name = getattr(block, field)
    if name not in spec.data.columns:
        hint = did_you_mean(name, spec.data.columns) or f"columns: {', '.join(spec.data.columns)}"
        message = f"`federation.partition.{field}: {name}` is not one of `data.columns`"
        yield Problem(codes.PARTITION_COLUMN, (*AT, field), message, hint)


def min_rows(spec: Spec) -> Iterator[Problem]:
    """`min_rows` is given where sizes are drawn, and only there."""
    block = spec.federation.partition
    if not isinstance(block, DirichletPartition):
        return
    if block.draw == "labels" and block.min_rows is None:
        message = "`draw: labels` draws sizes too and needs `min_rows`, the fewest rows of a client"
        yield Problem(codes.MISSING_PARAMETER, AT, message, "`min_rows: 1` at least: no client may be without rows")
    if block.draw == "clients" and block.min_rows is not None:
        message = "with `draw: clients` every client holds equally many rows, and `min_rows` changes nothing"
        yield Problem(codes.NO_EFFECT, (*AT, "min_rows"), message, "leave it out, or `draw: labels`")


def one_client(spec: Spec) -> Iterator[Problem]:
    """With one client every partition is the same."""
    federation = spec.federation
    if federation.clients == 1 and federation.partition.kind not in ("iid", "sites"):
        message = f"with one client `{federation.partition.kind}` changes nothing: it holds every row"
        yield Problem(codes.NO_EFFECT, (*AT, "kind"), message, "use `kind: iid`, or more clients")
