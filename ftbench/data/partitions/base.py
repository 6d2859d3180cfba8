"""What every kind of partition is given, and how it says that it can't deal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ftbench import codes
from ftbench.diagnostics import Diagnostic
from ftbench.errors import InvalidInput

if TYPE_CHECKING:
    from numpy.random import Generator

Shares = list[list[int]]
"""Row numbers, counted from 0, of each client in its order."""


@dataclass(frozen=True, slots=True)
class Given:
    """Rows to deal. There are at least as many as clients."""

    rows: int
    clients: int
    seed: int
    """`seeds.partition`."""
    labels: Sequence[str] = ()
    """For each row what stands in the partition's column, as canonical JSON; empty for kinds without one."""

    def random(self, stream: int) -> Generator:
        """A generator of the partition's own; another stream never repeats it."""
        import numpy

        return numpy.random.default_rng([self.seed, stream])

    def by_label(self, random: Generator | None = None) -> dict[str, list[int]]:
        """Label → its rows, labels ascending by their canonical JSON; rows ascending, or shuffled by `random`."""
        found: dict[str, list[int]] = {label: [] for label in sorted(set(self.labels))}
        for number, label in enumerate(self.labels):
            found[label].append(number)
        if random is not None:
            return {label: random.permutation(rows).tolist() for label, rows in found.items()}
        return found


def even(total: int, parts: int) -> list[int]:
    """`total` in `parts` whole numbers as equal as can be; the first ones are one larger."""
    least, more = divmod(total, parts)
    return [least + (part < more) for part in range(parts)]


def cut(rows: Sequence[int], sizes: Sequence[int]) -> Shares:
    """`rows` in contiguous pieces of those sizes."""
    pieces, start = [], 0
    for size in sizes:
        pieces.append(list(rows[start : start + size]))
        start += size
    return pieces


def refuse(message: str, hint: str) -> InvalidInput:
    """The error (FTB309) of a partition that these rows do not allow."""
    return InvalidInput(Diagnostic(codes.CANNOT_DEAL, message, hint=hint))
