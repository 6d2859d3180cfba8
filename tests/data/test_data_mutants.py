"""Data files that something happened to: what they say is still the same, or they are refused with the place."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tables

from ftbench.data import digests
from ftbench.errors import FtbenchError
from ftbench.spec.sources import TypedColumn

NAMES = ["question", "answer", "weight"]
TYPES = {"question": "text", "answer": "text", "weight": "integer"}
ROWS: list[dict[str, Any]] = [
    {"question": 'Who said "no", and when?', "answer": "Säästö", "weight": 12},
    {"question": "Two\nlines", "answer": "", "weight": -3},
    {"question": "Plain", "answer": "007", "weight": 2**53 - 1},
    {"question": "x, y", "answer": 'a "b"', "weight": 0},
]
COLUMNS: Any = {name: name for name in NAMES}
CSV_COLUMNS: Any = {**COLUMNS, "weight": TypedColumn(column="weight", type="integer")}
WANTED = digests.rows_digest(ROWS)

Mutate = Callable[[str, random.Random], str | bytes]


def at(text: str, pattern: str, dice: random.Random, change: Callable[[str], str]) -> str:
    """The text with one of the matches of `pattern` changed."""
    match = dice.choice(list(re.finditer(pattern, text)))
    return text[: match.start()] + change(match[0]) + text[match.end() :]


def _csv(dice: random.Random) -> str:
    lines = [NAMES, *([tables.spelled(row[name]) for name in NAMES] for row in ROWS)]
    return "".join(",".join(tables.field(cell, quoted=dice.random() < 0.4) for cell in line) + "\n" for line in lines)


CSV: dict[str, Mutate] = {
    "a comma more at a line's end": lambda t, d: at(t, r"(?<=\d)\n|(?<=\d\")\n", d, lambda m: "," + m),
    "a comma in front of a number": lambda t, d: at(t, r',"?-?\d+"?\n', d, lambda m: "," + m),
    "a comma less in front of a number": lambda t, d: at(t, r",(?=-?\d+\n)", d, lambda m: ""),
    "a quote more": lambda t, d: at(t, r"(?<=\w)(?=\w)", d, lambda m: '"'),
    "a quote less": lambda t, d: at(t, r'"(?=[\w])', d, lambda m: ""),
    "a quote less at the end of a field": lambda t, d: at(t, r'(?<=\w)"(?=,)', d, lambda m: ""),
    "a line end less": lambda t, d: at(t, r"(?<=\d)\n(?=.)|(?<=\d\")\n(?=.)", d, lambda m: ""),
    "an empty line": lambda t, d: at(t, r"(?<=\d)\n(?=.)|(?<=\d\")\n(?=.)", d, lambda m: m + m),
    "carriage returns for line ends": lambda t, d: t.replace("\n", "\r"),
    "a NUL": lambda t, d: at(t, r"(?=\w)", d, lambda m: "\0"),
    "semicolons": lambda t, d: t.replace(",", ";"),
    "tabs": lambda t, d: t.replace(",", "\t"),
    "a byte of another encoding": lambda t, d: t.replace("ä", "\udce4", 1).encode("utf-8", "surrogateescape"),
    "UTF-16": lambda t, d: t.encode("utf-16"),
    "a header twice": lambda t, d: t.replace("answer", "question", 1),
    "a header less": lambda t, d: t.partition("\n")[2],
    "a number with a letter": lambda t, d: at(t, r"(?<=\d)(?=\"?\n)", d, lambda m: "x"),
    "a number with a space": lambda t, d: at(t, r'(?<=[,"])(?=-?\d+"?\n)', d, lambda m: " "),
    "a number beyond 2^53": lambda t, d: t.replace(str(2**53 - 1), str(2**53)),
    "cut inside a row": lambda t, d: t[: t.rindex(",") - d.randint(0, 3)],
    "single quotes": lambda t, d: t.replace('"', "'"),
    "same: CRLF": lambda t, d: re.sub(r"(?<=\d)(\"?)\n|(?<=weight)(\"?)\n", r"\1\2\r\n", t),
    "same: a byte order mark": lambda t, d: "\ufeff" + t,
    "same: no line end at the end": lambda t, d: t[:-1],
    "same: empty lines at the end": lambda t, d: t + "\n\r\n\n",
}


def _rows_as_json(dice: random.Random, *, lines: bool) -> str:
    made = [json.dumps({n: row[n] for n in dice.sample(NAMES, 3)}, ensure_ascii=False) for row in ROWS]
    return "\n".join(made) + "\n" if lines else "[\n" + ",\n".join(made) + "\n]\n"


JSON: dict[str, Mutate] = {
    "a quote less": lambda t, d: at(t, r'(?<!\\)"', d, lambda m: ""),
    "a colon less": lambda t, d: at(t, r'(?<="): ', d, lambda m: " "),
    "a comma less": lambda t, d: at(t, r', (?=")', d, lambda m: " "),
    "a comma more": lambda t, d: at(t, r"(?=\})", d, lambda m: ","),
    "a brace less": lambda t, d: at(t, r"[{}]", d, lambda m: ""),
    "a brace more": lambda t, d: at(t, r"[{}]", d, lambda m: m + m),
    "a name twice": lambda t, d: at(t, r'"answer"', d, lambda m: '"question": "", "answer"'),
    "single quotes": lambda t, d: re.sub(r'(?<!\\)"', "'", t),
    "a comment": lambda t, d: at(t, r"(?<=\{)", d, lambda m: "/* no */"),
    "a number as text": lambda t, d: at(t, r'(?<="weight": )-?\d+', d, lambda m: f'"{m}"'),
    "a text as number": lambda t, d: t.replace('"007"', "7"),
    "a truth value": lambda t, d: t.replace('"007"', "true"),
    "a list": lambda t, d: t.replace('"007"', '["007"]'),
    "a leading nought": lambda t, d: at(t, r'(?<="weight": )\d+', d, lambda m: "0" + m),
    "not a number": lambda t, d: at(t, r'(?<="weight": )-?\d+', d, lambda m: "NaN"),
    "a number beyond 2^53": lambda t, d: t.replace(str(2**53 - 1), str(2**53)),
    "a float beyond 2^53": lambda t, d: t.replace(str(2**53 - 1), "1e17"),
    "infinite": lambda t, d: t.replace(str(2**53 - 1), "1e400"),
    "a raw line break in a text": lambda t, d: t.replace("\\n", "\n"),
    "half a character": lambda t, d: t.replace("ä", "\\ud83d", 1),
    "a byte of another encoding": lambda t, d: t.replace("ä", "\udce4", 1).encode("utf-8", "surrogateescape"),
    "UTF-16": lambda t, d: t.encode("utf-16"),
    "a NUL": lambda t, d: at(t, r"(?=\w)", d, lambda m: "\0"),
    "cut inside a row": lambda t, d: t[: t.rindex("}") - d.randint(0, 9)],
    "something behind": lambda t, d: t + "x",
    "a bare value": lambda t, d: at(t, r"\{.*\}", d, lambda m: "5"),
    "same: escapes": lambda t, d: t.replace("ä", "\\u00e4"),
    "same: white space": lambda t, d: at(t, r'(?<=": )|(?<=, )', d, lambda m: " \t "),
    "same: a float": lambda t, d: at(t, r'(?<="weight": )(12|-3|0)\b', d, lambda m: m + ".0"),
    "same: an exponent": lambda t, d: at(t, r'(?<="weight": )(12|-3|0)\b', d, lambda m: m + "e0"),
    "same: a byte order mark": lambda t, d: "\ufeff" + t,
    "same: empty lines at the end": lambda t, d: t + "\n \r\n\n",
    "same: a column more": lambda t, d: at(t, r"(?<=\{)", d, lambda m: '"note": [1, {"a": 2e5}], '),
}


def judge(folder: Path, format_: str, data: bytes, columns: Any, *, same: bool) -> None:
    """Accepted with the rows' digest, or refused with file, line and column."""
    try:
        found = tables.load(folder, format_, [data], columns)
    except FtbenchError as error:
        assert not same, str(error)
        for one in error.diagnostics:
            assert one.place is not None and one.place.file == f"0.{format_}", one.plain()
            assert format_ == "parquet" or (one.place.line and one.place.column), one.plain()
            assert "Error" not in one.message and "Exception" not in one.message, one.plain()
        return
    assert digests.rows_digest(found.rows) == WANTED, "accepted, with other rows"
    assert same, "a mutant that was to be refused is not: is it the same after all?"


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", CSV)
def test_csv(tmp_path: Path, name: str, seed: int) -> None:
    dice = random.Random(f"{name} {seed}")
    made = CSV[name](_csv(dice), dice)
    data = made if isinstance(made, bytes) else made.encode()
    judge(tmp_path, "csv", data, CSV_COLUMNS, same=name.startswith("same"))


@pytest.mark.parametrize("format_", ["json", "jsonl"])
@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("name", JSON)
def test_json(tmp_path: Path, name: str, seed: int, format_: str) -> None:
    dice = random.Random(f"{name} {seed}")
    made = JSON[name](_rows_as_json(dice, lines=format_ == "jsonl"), dice)
    data = made if isinstance(made, bytes) else made.encode()
    judge(tmp_path, format_, data, COLUMNS, same=name.startswith("same"))


@pytest.mark.parametrize("seed", range(40))
def test_parquet(tmp_path: Path, seed: int) -> None:
    """A byte of the pages flipped, where they have checksums, or the file cut: refused, with the file's name."""
    dice = random.Random(seed)
    data = bytearray(checked(dice))
    if seed % 4 == 0:
        del data[dice.randrange(4, len(data)) :]
    else:
        data[dice.randrange(4, data.index(b"question") if seed % 2 else 60)] ^= 1 << dice.randrange(8)
    try:
        found = tables.load(tmp_path, "parquet", [bytes(data)], COLUMNS)
    except FtbenchError as error:
        assert all(one.place is not None and one.place.file == "0.parquet" for one in error.diagnostics)
    else:
        assert digests.rows_digest(found.rows) == WANTED, "accepted, with other rows"


def checked(dice: random.Random) -> bytes:
    import io

    import pyarrow
    import pyarrow.parquet

    table = pyarrow.Table.from_pylist(ROWS)
    buffer = io.BytesIO()
    pyarrow.parquet.write_table(table, buffer, write_page_checksum=True, use_dictionary=dice.random() < 0.5)
    return buffer.getvalue()
