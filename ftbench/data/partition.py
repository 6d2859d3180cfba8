"""Dealing training rows: the validation cut first, then clients.

This is the registry of kinds; each has its module under `ftbench.data.partitions`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from ftbench import codes
from ftbench.data.partitions import dirichlet, iid, natural, pathological, shard, sites, size_skew
from ftbench.data.partitions.base import Given, Shares, refuse
from ftbench.diagnostics import Diagnostic
from ftbench.errors import InvalidInput
from ftbench.spec.canonical import canonical
from ftbench.spec.model import Partition, Spec, Validation
from ftbench.spec.partitions import column
from ftbench.spec.planted import holders

VALIDATION_STREAM = 0x56414C49
"""Second word of the validation cut's seed ("VALI"), so that it never shares a stream with the partition."""


@dataclass(frozen=True, slots=True)
class Dealt:
    """Every training row in exactly one place."""

    validation: list[int] | None
    """Row numbers of the validation cut, ascending; None where the spec has none."""
    shares: Shares
    """Row numbers of each client."""


Deal = Callable[[Given, Any], Shares]

KINDS: dict[str, Deal] = {
    "iid": iid.deal,
    "dirichlet": dirichlet.deal,
    "pathological": pathological.deal,
    "shard": shard.deal,
    "natural": natural.deal,
    "size-skew": size_skew.deal,
    "sites": sites.deal,
}
"""`federation.partition.kind` → function of the rows and the block."""


def deal(rows: int, clients: int, block: Partition, seed: int, labels: Sequence[str] = ()) -> Shares:
    """The partition that `block` describes. Every row goes to exactly one client and no client is left without.

    `labels` says of each row what stands in the block's column (`label_of`), for the kinds that have one.
    Raises InvalidInput: FTB308 when there are fewer rows than clients, FTB309 when the kind cannot deal these rows or
    leaves a client without any.
    """
    if rows < clients:
        message = f"{rows} training rows cannot be dealt to {clients} clients: each needs at least one"
        raise InvalidInput(Diagnostic(codes.TOO_FEW_ROWS, message, hint="lower federation.clients"))
    shares = KINDS[block.kind](Given(rows, clients, seed, labels), block)
    if empty := [client for client, share in enumerate(shares) if not share]:
        more = f" and {len(empty) - 1} others have" if len(empty) > 1 else " has"
        message = f"client {empty[0]}{more} no rows when {rows} are dealt by `{block.kind}` with seed {seed}"
        raise refuse(message, "lower federation.clients, or a less uneven `federation.partition`")
    return shares


def label_of(value: object) -> str:
    """A value of a row as a label: its canonical JSON, so that 1 and "1" are two."""
    return canonical(value).decode()


def validation_size(rows: int, block: Validation) -> int:
    """max(min_rows, ceil(fraction × rows)), with the fraction taken as it is written: 7 % of 100 rows are 7, not 8."""
    return max(block.min_rows, math.ceil(Fraction(repr(block.fraction)) * rows))


def validation_cut(rows: int, block: Validation, seed: int) -> list[int]:
    """Row numbers of the cut, ascending: the first `validation_size` of the permutation of
    `numpy.random.default_rng([seed, VALIDATION_STREAM])`.

    Raises InvalidInput (FTB308) when it would take every row.
    """
    import numpy

    size = validation_size(rows, block)
    if size >= rows:
        message = f"a validation cut of {size} rows leaves none of the {rows} training rows"
        raise InvalidInput(Diagnostic(codes.TOO_FEW_ROWS, message, hint="lower data.validation.min_rows"))
    order = numpy.random.default_rng([seed, VALIDATION_STREAM]).permutation(rows)
    return sorted(order[:size].tolist())


def deal_rows(count: int, spec: Spec, rows: Callable[[], Sequence[Mapping[str, Any]]]) -> Dealt:
    """The spec's validation cut and its partition of the other rows. Canaries, which stand last, are dealt after them,
    each to its own client, whatever the partition goes by.

    `rows` gives the `count` training rows; it is called only where the partition goes by a column.
    Raises InvalidInput (FTB308, FTB309), and what `rows` raises.
    """
    held_by = holders(spec)
    first = count - len(held_by)
    dealt = _deal_rows(first, spec, lambda: rows()[:first])
    for number, client in enumerate(held_by, first):
        dealt.shares[client].append(number)
    return dealt


def _deal_rows(count: int, spec: Spec, rows: Callable[[], Sequence[Mapping[str, Any]]]) -> Dealt:
    federation, seed, block = spec.federation, spec.seeds.partition, spec.data.validation
    labels = _labels(federation.partition, count, rows)
    if block is None:
        return Dealt(None, deal(count, federation.clients, federation.partition, seed, labels))
    cut = validation_cut(count, block, seed)
    taken = set(cut)
    rest = [number for number in range(count) if number not in taken]
    held = [labels[number] for number in rest] if labels else []
    shares = deal(len(rest), federation.clients, federation.partition, seed, held)
    return Dealt(cut, [[rest[position] for position in share] for share in shares])


def _labels(block: Partition, count: int, rows: Callable[[], Sequence[Mapping[str, Any]]]) -> list[str]:
    field = column(block)
    if field is None:
        return []
    labels = [label_of(row[getattr(block, field)]) for row in rows()]
    if len(labels) != count:
        raise refuse(f"there are {len(labels)} training rows, and the pins say {count}", "run: ftbench lock SPEC")
    return labels
