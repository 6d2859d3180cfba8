"""Rows as they are read, each with the place where it stands: so that a fault is told with file and line."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from ftbench.diagnostics import Place

Row = dict[str, Any]


class Spot(NamedTuple):
    """Where a row begins."""

    file: str
    """Name for messages: of a hub's file `OWNER/NAME@COMMIT/PATH`."""
    line: int
    """Counted from 1; 0 in a file without lines (parquet)."""
    column: int
    """Character in that line, counted from 1; 0 in a file without lines."""
    row: int
    """Number in the file, counted from 0."""

    @property
    def place(self) -> Place:
        """For a diagnostic."""
        return Place(self.file, self.line, self.column)

    @property
    def words(self) -> str:
        """The row in a few words, beside the file's name: `line 7`, `row 5 (from 0)`."""
        return f"line {self.line}" if self.line else f"row {self.row} (from 0)"

    def __str__(self) -> str:
        return f"{self.file}, {self.words}"


@dataclass(frozen=True, slots=True)
class Table:
    """Rows and, for each, its spot. Rows that no file holds have no spots."""

    rows: list[Row]
    spots: list[Spot]
    """One a row, or none at all."""

    @staticmethod
    def unplaced(rows: Iterable[Row]) -> Table:
        """Rows that stand in no file."""
        return Table(list(rows), [])

    @staticmethod
    def joined(tables: Sequence[Table], *, whole: bool) -> Table:
        """All rows in order. With `whole` each gets every column that some row has: what it leaves out is null."""
        rows = [row for table in tables for row in table.rows]
        spots = [spot for table in tables for spot in table.spots]
        if not whole:
            return Table(rows, spots)
        empty: Row = dict.fromkeys(name for row in rows for name in row)
        return Table([row if len(row) == len(empty) else {**empty, **row} for row in rows], spots)

    def spot(self, number: int) -> Spot | None:
        """Where that row stands, if it stands anywhere."""
        return self.spots[number] if self.spots else None

    def take(self, numbers: Iterable[int]) -> Table:
        """The rows of these numbers, in this order."""
        chosen = list(numbers)
        return Table([self.rows[n] for n in chosen], [self.spots[n] for n in chosen] if self.spots else [])
