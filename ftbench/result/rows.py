"""Rows that were learnt from, of those that clients hold, by a ledger's rounds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ftbench.result.documents import Round


class Rows(NamedTuple):
    """Sums over clients."""

    held: int | None
    used: int | None


def rows_of(rounds: Sequence[Round]) -> Rows:
    """Over the clients of which a reply counted and says how many rows it learnt from, each once; None where there are
    none: ledgers from before this was told, or an entry's own training that does not tell it."""
    known = {
        reply.partition: (reply.examples, reply.used)
        for body in rounds
        for reply in body.replies
        if reply.used is not None
    }
    if not known:
        return Rows(None, None)
    return Rows(sum(held for held, _ in known.values()), sum(used for _, used in known.values()))
