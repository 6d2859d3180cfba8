"""The same rows have one digest: in four formats, over any number of files, whatever else these hold."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
import tables
from effort import times
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ftbench.data import digests
from ftbench.data.store import Store
from ftbench.spec.sources import TypedColumn

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
SIGNS = ['"', '""', ",", "\n", "\r\n", "\r", " x ", "\ufeff", "\u2028", "\x85"]
AWKWARD = st.sampled_from(
    [
        "",
        "007",
        "4",
        "3.10",
        "NA",
        "null",
        "true",
        "1e5",
        "2024-01-15",
        "NaN",
        "-0",
        "{}",
        "1690000000000000007",
        *SIGNS,
    ]
)
WHOLE = st.integers(-(2**53) + 1, 2**53 - 1)
NUMBERS = WHOLE | st.floats(allow_nan=False, allow_infinity=False).filter(lambda x: not 2**53 <= abs(x) < 1e21)
VALUES = {"text": TEXTS | AWKWARD, "integer": WHOLE, "number": NUMBERS, "truth": st.booleans()}
NAMES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\ufeff"), min_size=1, max_size=6)


@st.composite
def documents(draw: st.DrawFn) -> tuple[dict[str, str], list[dict[str, Any]], bool]:
    """Types of columns, rows, and whether some value is null."""
    names = draw(st.lists(NAMES, min_size=1, max_size=4, unique=True))
    types = {name: draw(st.sampled_from(sorted(VALUES))) for name in names}
    some_null = draw(st.booleans())
    kinds = {name: VALUES[kind] | st.none() if some_null else VALUES[kind] for name, kind in types.items()}
    rows = draw(st.lists(st.fixed_dictionaries(kinds), min_size=1, max_size=8))
    return types, rows, any(value is None for row in rows for value in row.values())


def holds_for(folder: Path, count: int) -> None:
    @settings(max_examples=count, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
    @given(documents(), st.integers(0, 2**32))
    def holds(document: tuple[dict[str, str], list[dict[str, Any]], bool], seed: int) -> None:
        types, rows, nulls = document
        if any(all(row[name] is None for row in rows) for name in types):
            return  # a column that JSON may leave out everywhere is none
        dice = random.Random(seed)
        ours = {f"c{number}": name for number, name in enumerate(types)}
        wanted = digests.rows_digest([{c: row[name] for c, name in ours.items()} for row in rows])
        for format_ in ("csv", "json", "jsonl", "parquet"):
            if format_ == "csv" and (nulls or "truth" in types.values()):
                continue  # csv has neither
            files = []
            for piece in tables.cut(rows, dice):
                more = {"\x00more": dice.choice(["text", "integer"])} if format_ == "parquet" else {}
                extra = "\x01more" if format_ == "csv" else "\x00more"
                other = [{**row, extra: _other(format_, more, dice)} for row in piece]
                names = [*types, *([extra] if dice.random() < 0.5 else [])]
                dice.shuffle(names)
                writer: Any = getattr(tables, format_ if format_ in ("jsonl", "parquet") else f"{format_}_")
                arguments = ({**types, **more},) if format_ == "parquet" else ()
                files.append(writer(other, names, dice, *arguments))
            columns: Any = dict(ours)
            if format_ == "csv":
                numbers = {c: name for c, name in ours.items() if types[name] in ("integer", "number")}
                columns |= {c: TypedColumn(column=name, type=types[name]) for c, name in numbers.items()}  # type: ignore
            found = tables.load(folder, format_, files, columns)
            assert digests.rows_digest(found.rows) == wanted, format_
            assert len(found.table.spots) == len(rows)

    holds()


def _other(format_: str, more: dict[str, str], dice: random.Random) -> Any:
    """A value of a column that nobody asked for: of any type in JSON, and of a type that differs from file to file."""
    if format_ == "json" or format_ == "jsonl":
        return dice.choice([None, 1, "x", [1, "x"], {"a": 2**70}, True, 2**60])
    return 5 if more.get("\x00more") == "integer" else "a, b"


def test_the_same_rows_have_one_digest(tmp_path: Path) -> None:
    holds_for(tmp_path, 200)


@pytest.mark.slow
def test_thousands_of_tables_have_one_digest(tmp_path: Path) -> None:
    holds_for(tmp_path, times(1_000, 10_000))


def test_what_is_read_comes_back_from_the_store(tmp_path: Path) -> None:
    rows = [
        {"text": 'He said "no", then,\nleft', "number": 5, "score": -0.25, "empty": "", "code": "007", "na": "NA"},
        {"text": "naïve ☃", "number": -12, "score": 3.0, "empty": "", "code": "A1", "na": "null"},
    ]
    types = {"number": "integer", "score": "number"}
    columns: Any = {name: TypedColumn(column=name, type=types[name]) if name in types else name for name in rows[0]}  # type: ignore
    found = tables.load(tmp_path, "csv", [tables.csv_(rows, list(rows[0]), random.Random(1))], columns)
    assert found.rows == rows
    store = Store([tmp_path / "store"])
    assert store.rows(store.put_rows(found.rows)) == rows
