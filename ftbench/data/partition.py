"""Dealing training rows to clients: one function for each kind of partition."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ftbench.data import codes
from ftbench.diagnostics import Diagnostic
from ftbench.errors import InvalidInput
from ftbench.spec.model import IidPartition, Partition

Shares = list[list[int]]
"""Row numbers, counted from 0, of each client in its order."""


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
