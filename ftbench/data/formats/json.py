"""JSON: an array of objects, or one object a line. Values keep the types that they are written in."""

from __future__ import annotations

import json
import math
import re
from typing import Any

from ftbench.data.formats.base import DataFile, position
from ftbench.data.table import Row, Spot, Table
from ftbench.errors import MissingResource

_SPACE = re.compile(r"[ \t\n\r]*")
_NOT_BLANK = re.compile(r"[^ \t\r]")


class _Refused(ValueError):
    """What Python would take and JSON does not have, or could only be taken by leaving something out."""


def _once(pairs: list[tuple[str, Any]]) -> Row:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        raise _Refused(f"the name `{next(name for name in names if names.count(name) > 1)}` stands twice in one object")
    return found


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise _Refused(f"{text} is too large a number")
    return value


def _whole(text: str) -> int:
    if len(text) > 1000:  # Python itself refuses to read some thousand digits
        raise _Refused(f"a whole number of {len(text):,} digits")
    return int(text)


def _no_constant(text: str) -> Any:
    raise _Refused(f"{text} is no JSON")


_DECODER = json.JSONDecoder(object_pairs_hook=_once, parse_float=_finite, parse_int=_whole, parse_constant=_no_constant)


def read_lines(file: DataFile) -> Table:
    """One object a line; lines of white space say nothing. Raises MissingResource (FTB332) for anything else."""
    rows: list[Row] = []
    spots: list[Spot] = []
    # Only a line feed ends a line: JSON's texts may hold the other characters that end one for Python.
    for number, line in enumerate(file.text().split("\n"), start=1):
        first = _NOT_BLANK.search(line)
        if first is None:
            continue
        row, end = _object(file, line, first.start(), number)
        if (more := _NOT_BLANK.search(line, end)) is not None:
            raise file.refused("something follows the object", number, more.start() + 1, "one object a line")
        spots.append(Spot(file.name, number, first.start() + 1, len(rows)))
        rows.append(row)
    return Table(rows, spots)


def read_array(file: DataFile) -> Table:
    """One array of objects. Raises MissingResource (FTB332) for anything else."""
    text = file.text()
    at = _next(text, 0)
    if text[at : at + 1] != "[":
        raise file.refused("an array is expected", *position(text, at), "one object a line is `format: jsonl`")
    rows: list[Row] = []
    spots: list[Spot] = []
    line, begins, counted = 1, 0, 0  # all counted on from row to row: an array may be one line of many megabytes
    at = _next(text, at + 1)
    while text[at : at + 1] != "]" or rows:
        line, begins = line + text.count("\n", counted, at), max(begins, text.rfind("\n", counted, at) + 1)
        counted = at
        row, end = _object(file, text, at)
        spots.append(Spot(file.name, line, at - begins + 1, len(rows)))
        rows.append(row)
        at = _next(text, end)
        if text[at : at + 1] == "]":
            break
        if text[at : at + 1] != ",":
            raise file.refused("a comma or `]` is expected", *position(text, at))
        at = _next(text, at + 1)
    if (end := _next(text, at + 1)) != len(text):
        raise file.refused("something follows the array", *position(text, end))
    return Table(rows, spots)


def _next(text: str, at: int) -> int:
    """The first character from `at` on that is no white space."""
    match = _SPACE.match(text, at)
    return match.end() if match else at


def _object(file: DataFile, text: str, at: int, line: int = 0) -> tuple[Row, int]:
    """The object that begins at `at`, and where it ends. `line`: the number of the line that `text` is."""
    try:
        value, end = _DECODER.raw_decode(text, at)
    except json.JSONDecodeError as error:
        raise _refused(file, error.msg, text, error.pos, line) from error
    except _Refused as error:
        raise _refused(file, str(error), text, at, line) from error
    except RecursionError as error:
        raise _refused(file, "an object is nested too deeply", text, at, line) from error
    if not isinstance(value, dict):
        raise _refused(file, "an object is expected", text, at, line)
    return value, end


def _refused(file: DataFile, detail: str, text: str, at: int, line: int) -> MissingResource:
    return file.refused(detail, *((line, at + 1) if line else position(text, at)))
