"""Tables as files: the same rows in every format, cut over several files, beside columns that nobody asked for."""

from __future__ import annotations

import datetime
import io
import json
import random
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet

from ftbench.data import reading, sources
from ftbench.data.formats.base import DataFile
from ftbench.data.loaded import Loaded, Request
from ftbench.spec.sources import Columns, HubSource

Row = dict[str, Any]
ENDING = {"csv": "csv", "json": "json", "jsonl": "jsonl", "parquet": "parquet"}


def load(folder: Path, format_: str, files: Sequence[bytes], columns: Columns, **more: Any) -> Loaded:
    """What `ftbench lock` would make of these files, without the hub between. The files are called 0.csv, 1.csv, …"""
    given = []
    for number, data in enumerate(files):
        name = f"{number}.{ENDING[format_]}"
        (folder / name).write_bytes(data)
        given.append(DataFile(folder / name, name))
    value = {"kind": "hub", "repo": "some/data", "revision": None, "files": ["*"], "format": format_, **more}
    source = HubSource.model_validate(value)
    before = sources.LOADERS["hub"]
    sources.LOADERS["hub"] = lambda source, _: Loaded(reading.read(source, given, "it"), "unknown")
    try:
        return sources.load(source, columns, Request())
    finally:
        sources.LOADERS["hub"] = before


def field(value: str, *, quoted: bool = False) -> str:
    """A value as RFC 4180 has it, written here anew so that it shares nothing with what is tested."""
    if quoted or value == "" or any(sign in value for sign in '",\r\n'):
        return '"' + value.replace('"', '""') + '"'
    return value


def csv_(rows: Sequence[Row], names: Sequence[str], dice: random.Random) -> bytes:
    """With either line end, some fields in quotes that need none, and perhaps no line end at the end."""
    end = dice.choice(["\n", "\r\n"])
    cells = [list(names), *([spelled(row[name]) for name in names] for row in rows)]
    lines = [",".join(field(cell, quoted=dice.random() < 0.3) for cell in line) for line in cells]
    mark = dice.choice(["", "\ufeff"])
    return (mark + end.join(lines) + dice.choice(["", end])).encode()


def spelled(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def jsonl(rows: Sequence[Row], names: Sequence[str], dice: random.Random) -> bytes:
    """What is null is sometimes left out."""
    end, ascii_ = dice.choice(["\n", "\r\n"]), dice.random() < 0.5
    made = [{name: row[name] for name in names if row[name] is not None or dice.random() < 0.5} for row in rows]
    return "".join(json.dumps(row, ensure_ascii=ascii_) + end for row in made).encode()


def json_(rows: Sequence[Row], names: Sequence[str], dice: random.Random) -> bytes:
    made = [{name: row[name] for name in names if row[name] is not None or dice.random() < 0.5} for row in rows]
    indent = dice.choice([None, 1])
    return json.dumps(made, indent=indent, ensure_ascii=dice.random() < 0.5).encode()


TYPES = {"text": pyarrow.string(), "integer": pyarrow.int64(), "number": pyarrow.float64(), "truth": pyarrow.bool_()}


def parquet(rows: Sequence[Row], names: Sequence[str], dice: random.Random, types: dict[str, str]) -> bytes:
    arrays = [pyarrow.array([_stored(row[name], types[name]) for row in rows], TYPES[types[name]]) for name in names]
    table = pyarrow.Table.from_arrays(arrays, names=list(names))
    if dice.random() < 0.3:
        then = pyarrow.array([datetime.datetime(2024, 1, 15)] * len(rows), pyarrow.timestamp("ns"))
        table = table.append_column("\x00when", then)
    buffer = io.BytesIO()
    compression = dice.choice(["none", "snappy", "zstd"])
    pyarrow.parquet.write_table(
        table,
        buffer,
        compression=compression,
        row_group_size=dice.choice([1, 3, 1000]),
        use_dictionary=dice.random() < 0.5,
        write_page_checksum=dice.random() < 0.5,
    )
    return buffer.getvalue()


def _stored(value: Any, kind: str) -> Any:
    return float(value) if kind == "number" and value is not None else value


def cut(rows: Sequence[Row], dice: random.Random) -> Iterable[Sequence[Row]]:
    """The rows in pieces of at least one, in order."""
    places = sorted(dice.sample(range(1, len(rows)), dice.randint(0, min(3, len(rows) - 1)))) if len(rows) > 1 else []
    return [rows[a:b] for a, b in zip([0, *places], [*places, len(rows)], strict=True)]
