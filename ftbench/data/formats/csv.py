"""CSV by RFC 4180 and nothing else: commas, double quotes, LF or CRLF, a header, and every row as long as it.

Python's own reader takes a quote in the middle of a field and text after a closing one for content, also with `strict`:
a file in which one quote is lost would be read as other rows. So fields are found by one expression here.
"""

from __future__ import annotations

import re

from ftbench import codes
from ftbench.data.formats.base import DataFile, position
from ftbench.data.table import Row, Spot, Table
from ftbench.diagnostics import Diagnostic, Place
from ftbench.errors import InvalidInput, MissingResource

_FIELD = re.compile(r'(?:"((?:[^"]++|"")*+)"|([^",\r\n]*+))(,|\r\n|\n|\Z)')
"""A field with what ends it. Groups: what stands between quotes, or what stands without any; the end."""
_REST = re.compile(r"[\r\n]*\Z")


def read(file: DataFile) -> Table:
    """All rows, every value a text. Raises MissingResource (FTB332) for a file that is not CSV, InvalidInput (FTB337)
    for a row with another number of fields than the header."""
    text = file.text()
    rows: list[Row] = []
    spots: list[Spot] = []
    names: list[str] | None = None
    at, line = 0, 1
    while at < len(text):
        starts, fields, end = _record(text, at, file)
        if text[at] in "\r\n":
            if _REST.match(text, at):
                break  # empty lines at the end of a file say nothing
            raise file.refused("an empty line", line, 1, 'an empty value that is a row\'s only one is written ""')
        if names is None:
            names = _header(fields, file)
        elif len(fields) != len(names):
            raise _other_count(file, line, len(fields), len(names), _column(text, starts, len(names), end))
        else:
            spots.append(Spot(file.name, line, 1, len(rows)))
            rows.append(dict(zip(names, fields, strict=True)))
        line += text.count("\n", at, end)
        at = end
    if names is None:
        raise file.refused("it is empty, and its first line must name the columns")
    return Table(rows, spots)


def _record(text: str, at: int, file: DataFile) -> tuple[list[int], list[str], int]:
    """Where each field of the row at `at` begins, its fields, and where the next row begins."""
    starts, fields = [], []
    while True:
        match = _FIELD.match(text, at)
        if match is None:
            raise _broken(text, at, file)
        starts.append(at)
        quoted, plain, ending = match.groups()
        fields.append(plain if quoted is None else quoted.replace('""', '"'))
        at = match.end()
        if ending != ",":
            return starts, fields, at


def _header(fields: list[str], file: DataFile) -> list[str]:
    seen: set[str] = set()
    for name in fields:
        if name in seen:
            hint = f"each column has a name of its own{'' if name else '; a comma at the end of the line begins one'}"
            raise file.refused(f"the first line names the column `{name}` twice", 1, 1, hint)
        seen.add(name)
    return fields


def _column(text: str, starts: list[int], wanted: int, end: int) -> int:
    """Where the first field too many begins, or where a row ends that is too short."""
    at = starts[wanted] if len(starts) > wanted else len(text[:end].rstrip("\r\n"))
    return position(text, at)[1]


def _other_count(file: DataFile, line: int, found: int, wanted: int, column: int) -> InvalidInput:
    message = f"line {line} has {found} field{'' if found == 1 else 's'}, the header {wanted}"
    hint = "a comma or line break inside a value asks for quotes around it; a comma at a line's end begins a field"
    return InvalidInput(Diagnostic(codes.FIELD_COUNT, message, Place(file.name, line, column), hint))


def _broken(text: str, at: int, file: DataFile) -> MissingResource:
    """Why no field can be read at `at`."""
    if text[at] == '"':
        closing = re.compile(r'"(?:[^"]++|"")*+"').match(text, at)
        if closing is None:
            return file.refused("a quote that is never closed", *position(text, at))
        return file.refused("text after a closing quote", *position(text, closing.end()))
    wrong = at
    while text[wrong] not in '"\r':
        wrong += 1
    if text[wrong] == '"':
        hint = 'a value with a quote stands in quotes, and the quote in it is written twice: "he said ""no"""'
        return file.refused("a quote inside a value that has none around it", *position(text, wrong), hint)
    return file.refused("a carriage return that ends no line", *position(text, wrong), "lines end in LF or CRLF")
