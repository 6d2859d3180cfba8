"""Which rows of a table are efficient: no other row scores as much for less."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ftbench.board.model import Row


def efficient(rows: Iterable[Row], cost: Callable[[Row], float | None]) -> list[Row]:
    """Rows that no other beats in score at the same or a smaller cost, by ascending cost; those without a cost left
    out. By values alone: whether two of them differ is what ranks say."""
    known = [(told, -one.score.value, one.entry, one) for one in rows if (told := cost(one)) is not None]
    found: list[Row] = []
    for _, _, _, one in sorted(known, key=lambda told: told[:3]):
        if not found or one.score.value > found[-1].score.value:
            found.append(one)
    return found
