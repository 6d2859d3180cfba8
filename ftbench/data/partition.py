"""Dealing training rows: the validation cut first, then clients, with one function for each kind of partition."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from ftbench.data import codes
from ftbench.diagnostics import Diagnostic
from ftbench.errors import InvalidInput
from ftbench.spec.model import IidPartition, Partition, Spec, Validation

Shares = list[list[int]]
"""Row numbers, counted from 0, of each client in its order."""

VALIDATION_STREAM = 0x56414C49
"""Second word of the validation cut's seed ("VALI"), so that it never shares a stream with the partition."""


@dataclass(frozen=True, slots=True)
class Dealt:
    """Every training row in exactly one place."""

    validation: list[int] | None
    """Row numbers of the validation cut, ascending; None where the spec has none."""
    shares: Shares
    """Row numbers of each client."""


def iid(rows: int, clients: int, block: IidPartition, seed: int) -> Shares:
    """A seeded permutation cut into contiguous shares; where they can't be equal, the first ones hold one row more."""
    import numpy

    order = numpy.random.default_rng(seed).permutation(rows)
    return [share.tolist() for share in numpy.array_split(order, clients)]


KINDS: dict[str, Callable[[int, int, Any, int], Shares]] = {"iid": iid}
"""`federation.partition.kind` → function of (rows, clients, the block, seed)."""


def deal(rows: int, clients: int, block: Partition, seed: int) -> Shares:
    """The partition that `block` describes. Every row goes to exactly one client and no client is left without.

    Raises InvalidInput (FTB308) when there are fewer rows than clients.
    """
    if rows < clients:
        message = f"{rows} training rows cannot be dealt to {clients} clients: each needs at least one"
        raise InvalidInput(Diagnostic(codes.TOO_FEW_ROWS, message, hint="lower federation.clients"))
    return KINDS[block.kind](rows, clients, block, seed)


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


def deal_rows(rows: int, spec: Spec) -> Dealt:
    """The spec's validation cut and its partition of the other rows. Raises InvalidInput (FTB308)."""
    federation, seed, block = spec.federation, spec.seeds.partition, spec.data.validation
    if block is None:
        return Dealt(None, deal(rows, federation.clients, federation.partition, seed))
    cut = validation_cut(rows, block, seed)
    taken = set(cut)
    rest = [number for number in range(rows) if number not in taken]
    shares = deal(len(rest), federation.clients, federation.partition, seed)
    return Dealt(cut, [[rest[position] for position in share] for share in shares])
