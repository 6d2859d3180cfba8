"""What a normaliser is: one row of a source → one row of plain columns, or None where the set leaves the row out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ftbench import codes
from ftbench.data.table import Spot, Table
from ftbench.diagnostics import Diagnostic
from ftbench.errors import InvalidInput
from ftbench.spec.sources import ColumnType

Row = Mapping[str, Any]

LETTERS = "abcdefgh"
"""Names of options, in order: `option_a`, `option_b`, …"""

SENTIMENTS = ("negative", "neutral", "positive")
"""Labels of the finance sets; `answer` is the label's place here."""

SENTIMENT_COLUMNS = {
    "sentence": "the text",
    "label": "negative, neutral or positive",
    "answer": "0 negative, 1 neutral, 2 positive",
}


class LayoutError(ValueError):
    """A value that the layout does not allow; the message says which."""


@dataclass(frozen=True)
class Normaliser:
    """A named step from a source's rows to plain columns."""

    name: str
    summary: str
    columns: dict[str, str]
    """Columns that it gives → what each holds."""
    row: Callable[[Row], dict[str, Any] | None]
    """The step for one row. Raises LayoutError, KeyError, TypeError or ValueError for a row of another layout."""
    check: Callable[[Sequence[Mapping[str, Any]]], None] | None = None
    """What must hold of all rows together. Raises LayoutError."""
    types: Mapping[str, ColumnType] = field(default_factory=dict)
    """The source's columns that are read as numbers, also from csv, whose values are texts."""

    def apply(self, table: Table, what: str) -> Table:
        """All rows, in their order. Raises InvalidInput (FTB334) naming the first row of another layout."""
        found: list[dict[str, Any]] = []
        kept = []
        for number, row in enumerate(table.rows):
            try:
                made = self.row(row)
            except KeyError as error:
                detail = f"there is no column {error}; it has: {', '.join(row)}"
                raise self._refused(what, number, detail, table.spot(number)) from error
            except (TypeError, ValueError, AttributeError) as error:
                raise self._refused(what, number, str(error), table.spot(number)) from error
            if made is not None:
                found.append(made)
                kept.append(number)
        if self.check is not None:
            try:
                self.check(found)
            except LayoutError as error:
                raise self._refused(what, None, str(error)) from error
        return Table(found, table.take(kept).spots)

    def _refused(self, what: str, number: int | None, detail: str, spot: Spot | None = None) -> InvalidInput:
        where = "" if number is None else f"row {number} (from 0): "
        message = f"{what} does not have the layout that the normaliser `{self.name}` expects: {where}{detail}"
        place = spot.place if spot else None
        return InvalidInput(Diagnostic(codes.LAYOUT, message, place, "look at the source's `files` and `normalise`"))


def text(value: Any) -> str:
    """A text; a missing one is empty. Line ends are made plain. Raises LayoutError for another type."""
    if value is None:
        return ""
    if not isinstance(value, str):
        raise LayoutError(f"a text is expected, not {value!r}")
    return value.replace("\r\n", "\n")


def index(value: Any, count: int, first: int = 0) -> int:
    """A place among `count` options, counted from 0, of one that is counted from `first`. Raises LayoutError."""
    if isinstance(value, bool) or not isinstance(value, int) or not first <= value < first + count:
        raise LayoutError(f"the answer is {value!r}; a whole number from {first} to {first + count - 1} is expected")
    return value - first


def letter(value: Any, count: int) -> int:
    """The place of a letter A, B, C …, counted from 0. Raises LayoutError."""
    found = LETTERS.upper().find(value) if isinstance(value, str) and len(value) == 1 else -1
    if not 0 <= found < count:
        raise LayoutError(f"the answer is {value!r}; a letter from A to {LETTERS[count - 1].upper()} is expected")
    return found


def options(values: Sequence[Any], count: int) -> dict[str, str]:
    """`option_a`, `option_b`, … Raises LayoutError for another number of options."""
    if len(values) != count:
        raise LayoutError(f"{count} options are expected, there are {len(values)}")
    return {f"option_{LETTERS[place]}": text(value) for place, value in enumerate(values)}


def option_columns(count: int) -> dict[str, str]:
    """Documentation of what `options` gives."""
    return {f"option_{LETTERS[place]}": f"option {LETTERS[place].upper()}" for place in range(count)}


def sentiment(sentence: str, label: str) -> dict[str, Any]:
    """A row of a finance set. Raises LayoutError for another label."""
    if label not in SENTIMENTS:
        raise LayoutError(f"the label is {label!r}; one of {', '.join(SENTIMENTS)} is expected")
    return {"sentence": sentence, "label": label, "answer": SENTIMENTS.index(label)}
