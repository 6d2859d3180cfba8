"""Reading a table of bare scores: CSV or JSON, every number as the text that it was printed as."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from ftbench import codes
from ftbench.diagnostics import Diagnostic, Place, did_you_mean, printable
from ftbench.errors import InvalidInput
from ftbench.spec.tasks import Task

MAX_BYTES = 8 * 2**20
MAX_ROWS = 2_000
NAMES = ("name", "model", "team", "entry", "team name", "model name", "base model")
"""What the column of names may be called; else it is the first."""
MEANS = ("mean", "average", "avg", "score", "overall")
"""What the column of means may be called."""
EMPTY = ("", "-", "–", "—", "n/a", "na", "null", "none")


@dataclass(frozen=True, slots=True)
class Row:
    """One row: texts as they stand there."""

    name: str
    line: int
    cells: Mapping[str, str]
    """Task → its text; a test set without a value is left out."""
    mean: str | None


@dataclass(frozen=True, slots=True)
class Table:
    """The rows, and what the columns are called."""

    rows: Sequence[Row]
    columns: Mapping[str, str]
    """Task → the column's name."""
    mean: str | None
    """The name of the column of means; None: there is none."""
    left: Sequence[str]
    """Columns that are none of these."""


def read(path: Path, tasks: Sequence[Task], named: Mapping[str, str]) -> Table:
    """The table in a file ending in .csv or .json. `named`: column → task, where their names differ.

    Raises InvalidInput (FTB760) for what is no table, or none of these test sets; also for a task that is not there.
    """
    if not path.is_file():
        raise InvalidInput(Diagnostic(codes.NO_PATH, "there is no such table", Place(str(path))))
    with path.open("rb") as file:
        data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        _refuse(path, f"has more than {MAX_BYTES} bytes")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        _refuse(path, "is not UTF-8")
    lines = _json(path, text) if path.suffix.lower() == ".json" else _csv(path, text)
    if not lines or len(lines) > MAX_ROWS:
        _refuse(path, f"has no rows, or more than {MAX_ROWS}")
    header = list(dict.fromkeys(column for _, line in lines for column in line))
    columns = _columns(path, header, tasks, named)
    name = next((one for one in header if _plain(one) in map(_plain, NAMES)), header[0])
    mean = next((one for one in header if _plain(one) in map(_plain, MEANS) and one not in columns.values()), None)
    rows = [
        Row(
            name=line.get(name, "").strip()[:200],
            line=number,
            cells={task: line[column] for task, column in columns.items() if _told(line.get(column))},
            mean=line[mean] if mean is not None and _told(line.get(mean)) else None,
        )
        for number, line in lines
    ]
    taken = {name, mean, *columns.values()}
    return Table(rows, columns, mean, [one for one in header if one not in taken])


def _told(text: str | None) -> bool:
    return text is not None and text.strip().lower() not in EMPTY


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9+]", "", name.lower())


def _columns(path: Path, header: Sequence[str], tasks: Sequence[Task], named: Mapping[str, str]) -> dict[str, str]:
    known = [task.name for task in tasks]
    for column, task in named.items():
        if task not in known:
            _refuse(path, f"the spec has no task `{task}`: {did_you_mean(task, known) or ', '.join(known)}")
        if column not in header:
            _refuse(path, f"there is no column `{column}`: {did_you_mean(column, header) or ', '.join(header[:20])}")
    found = {task: column for column, task in named.items()}
    for task in known:
        if task not in found:
            here = [one for one in header if _plain(one) == _plain(task) and one not in named]
            if len(here) > 1:
                _refuse(path, f"several columns may be of {task}: {', '.join(here)}")
            found |= {task: here[0]} if here else {}
    if not found:
        hint = f"its test sets: {', '.join(known)}; `--column COLUMN=TASK` says which column is which"
        _refuse(path, f"none of its columns is a test set of the spec: {', '.join(header[:20])}", hint)
    return {task: found[task] for task in known if task in found}


def _csv(path: Path, text: str) -> list[tuple[int, dict[str, str]]]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = [one.strip() for one in next(reader, [])]
        if len(set(header)) < len(header) or not header:
            _refuse(path, "the first line names no columns, or one of them twice")
        found = []
        for cells in reader:
            if len(cells) > len(header):
                _refuse(path, f"line {reader.line_num} has more cells than there are columns")
            if any(cell.strip() for cell in cells):
                found.append((reader.line_num, dict(zip(header, cells, strict=False))))
            if len(found) > MAX_ROWS:
                break  # it is refused for that, and the rest need not be held
    except csv.Error as error:
        _refuse(path, f"line {reader.line_num}: {error}")
    return found


def _json(path: Path, text: str) -> list[tuple[int, dict[str, str]]]:
    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(items)
        if len(made) < len(items):
            raise ValueError("a key stands twice in one object")
        return made

    def constant(word: str) -> NoReturn:
        raise ValueError(f"{word} is no number")

    try:
        value = json.loads(text, parse_float=str, parse_int=str, parse_constant=constant, object_pairs_hook=pairs)
    except (ValueError, RecursionError) as error:
        _refuse(path, f"is no JSON that is read here: {error}")
    if not isinstance(value, list) or not all(isinstance(row, dict) for row in value):
        _refuse(path, 'is no list of rows: [{"name": …, "<test set>": …, "mean": …}, …]')
    found = []
    for number, row in enumerate(value, 1):
        if not all(isinstance(cell, str | None) for cell in row.values()):
            _refuse(path, f"row {number} holds what is neither text nor number")
        found.append((number, {key: cell for key, cell in row.items() if cell is not None}))
    return found


def _refuse(path: Path, message: str, hint: str = "") -> NoReturn:
    raise InvalidInput(Diagnostic(codes.BAD_TABLE, printable(message)[:400], Place(str(path)), hint))
