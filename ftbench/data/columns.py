"""What a column may hold: one type in all its rows, and no value that the store could not give back as it is.

No type is guessed. A text file's values are texts; a column becomes one of numbers only where the spec
(`columns: {x: {column: x, type: integer}}`) or the normaliser says so.
"""

from __future__ import annotations

import datetime
import math
import re
from collections.abc import Callable, Mapping
from typing import Any

from ftbench import codes
from ftbench.data.table import Table
from ftbench.diagnostics import Diagnostic
from ftbench.errors import InvalidInput
from ftbench.spec.sources import ColumnType

EXACT = 2**53
"""Whole numbers of this size and above have no exact form in RFC 8785."""
_WHOLE_UP_TO = 1e21
"""Below it RFC 8785 writes a float without a fraction as a whole number, which must then be exact."""

_INTEGER = re.compile(r"-?(0|[1-9][0-9]*)")
_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?")
_SURROGATE = re.compile("[\ud800-\udfff]")
AS_TEXT = "`{column: NAME, type: text}` in `columns` keeps whole numbers as texts"


_SAME: Mapping[str, str] = {}


class _Unfit(ValueError):
    """A value that its column cannot hold; the message says why."""


def typed(table: Table, types: Mapping[str, ColumnType], names: Mapping[str, str] = _SAME) -> Table:
    """The rows with the columns in `types` as what they are said to be; a column that a row lacks is left so.

    A text that spells a number becomes that number, a whole number asked for as text its digits; null stays. `names`:
    column → what the file calls it, for messages.
    Raises InvalidInput (FTB339) with the first value that cannot be, its row and column.
    """
    if not types:
        return table
    rows = []
    for number, row in enumerate(table.rows):
        made = dict(row)
        for name, wanted in types.items():
            if (value := row.get(name)) is None:
                continue
            try:
                made[name] = _AS[wanted](value)
            except _Unfit as error:
                hint = "mend the file, or the column's type in `columns` or the normaliser"
                raise _refused(codes.COLUMN_TYPE, (table, number, names.get(name, name)), str(error), hint) from error
        rows.append(made)
    return Table(rows, table.spots)


def check(table: Table, names: Mapping[str, str] = _SAME) -> None:
    """Every column holds one type, null apart, and only values that come back from the store as they are.

    `names`: column → what the file calls it, for messages.
    Raises InvalidInput: FTB338 for a column with two types, with the first row of each; FTB339 for a value that is no
    text, number or truth value; FTB307 for one without an exact canonical form.
    """
    first: dict[str, tuple[str, int]] = {}
    for number, row in enumerate(table.rows):
        for name, value in row.items():
            if value is None:
                continue
            try:
                kind = _kind(value)
                _exact(value)
            except _Unfit as error:
                hint = "a normaliser takes such values apart (`ftbench list normalisers`); or leave the column out"
                raise _refused(codes.COLUMN_TYPE, (table, number, names.get(name, name)), str(error), hint) from error
            except ValueError as error:
                hint = AS_TEXT if isinstance(value, int) else "mend the file, or leave the column out"
                raise _refused(codes.BAD_VALUE, (table, number, names.get(name, name)), str(error), hint) from error
            known, before = first.setdefault(name, (kind, number))
            if known != kind:
                raise _mixed(table, name, names.get(name, name), (known, before), (kind, number))


def _mixed(table: Table, name: str, shown: str, one: tuple[str, int], other: tuple[str, int]) -> InvalidInput:
    (first, early), (second, late) = one, other
    spot = table.spot(early)
    there = _brief(table.rows[early][name])
    detail = f"{second} ({_brief(table.rows[late][name])}), and {first} ({there}) in {spot or f'row {early} (from 0)'}"
    hint = f"a column holds one type; mend the file, or say which: {AS_TEXT}"
    return _refused(codes.MIXED_TYPES, (table, late, shown), detail, hint)


def _refused(code: str, at: tuple[Table, int, str], detail: str, hint: str) -> InvalidInput:
    table, number, name = at
    spot = table.spot(number)
    where = spot.words if spot else f"row {number} (from 0)"
    return InvalidInput(Diagnostic(code, f"{where}, column `{name}`: {detail}", spot.place if spot else None, hint))


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "a truth value"
    if isinstance(value, str):
        return "a text"
    if isinstance(value, int | float):
        return "a number"
    names = {list: "a list", dict: "an object"}
    kind = next((words for type_, words in names.items() if isinstance(value, type_)), _brief(value))
    raise _Unfit(f"{kind} is neither text, number nor truth value")


def _exact(value: str | int | float) -> None:
    """Raises ValueError for a value that RFC 8785 does not give back as it is."""
    if isinstance(value, str):
        if not value.isascii() and _SURROGATE.search(value):
            raise ValueError("half a surrogate pair, which is no character")
    elif isinstance(value, int):
        if abs(value) >= EXACT:
            raise ValueError(f"{_brief(value)} is 2^53 or above, beyond which whole numbers are not kept exactly")
    elif not math.isfinite(value):
        raise ValueError(f"{value} is no number of JSON")
    elif EXACT <= abs(value) < _WHOLE_UP_TO:
        raise ValueError(f"{value!r} is 2^53 or above, beyond which whole numbers are not kept exactly")


def _as_text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, datetime.date) and not isinstance(value, datetime.datetime):
        return value.isoformat()
    raise _Unfit(f"{_brief(value)} has no one spelling as text; texts, whole numbers and dates have")


def _as_integer(value: Any) -> int:
    if isinstance(value, str) and _INTEGER.fullmatch(value) and len(value) < 1000:
        value = int(value)
    if isinstance(value, float) and value.is_integer() and abs(value) < EXACT:
        value = int(value)  # RFC 8785 has one spelling for both
    if isinstance(value, bool) or not isinstance(value, int):
        raise _Unfit(f"{_brief(value)} is no whole number")
    if abs(value) >= EXACT:
        raise _Unfit(f"{_brief(value)} is 2^53 or above, beyond which whole numbers are not kept exactly")
    return value


def _as_number(value: Any) -> int | float:
    if isinstance(value, str) and _NUMBER.fullmatch(value) and len(value) < 1000:
        value = int(value) if _INTEGER.fullmatch(value) else float(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _Unfit(f"{_brief(value)} is no number")
    try:
        _exact(value)
    except ValueError as error:
        raise _Unfit(str(error)) from error
    return value


_AS: dict[ColumnType, Callable[[Any], Any]] = {"text": _as_text, "integer": _as_integer, "number": _as_number}


def _brief(value: Any) -> str:
    shown = repr(value)
    return shown if len(shown) <= 60 else f"{shown[:60]}…"
