"""Rows exactly as they are in the file: nothing guesses a type, a column or a missing field."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import layouts
import pyarrow
import pyarrow.parquet
import pytest
import tables

from ftbench import builtin
from ftbench.cli.main import run
from ftbench.data import digests
from ftbench.data.store import Store
from ftbench.diagnostics import Diagnostic
from ftbench.errors import FtbenchError
from ftbench.spec.load import load_pins, load_spec
from ftbench.spec.sources import TypedColumn

QA: Any = {"question": "question", "answer": "answer"}


def as_type(name: str, kind: Any) -> TypedColumn:
    return TypedColumn(column=name, type=kind)


def refused(folder: Path, format_: str, *files: bytes, columns: Any = QA, **more: Any) -> Diagnostic:
    """The one diagnostic with which the files are refused."""
    with pytest.raises(FtbenchError) as error:
        tables.load(folder, format_, files, columns, **more)
    (found,) = error.value.diagnostics
    return found


def where(one: Diagnostic) -> tuple[str, str, int, int]:
    assert one.place is not None
    return one.code, one.place.file, one.place.line, one.place.column


# --- case 1: the number of fields ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "message", "place"),
    [
        (b"question,answer\nHow many legs?,4,\nHow many eyes?,2,\n", "line 2 has 3 fields, the header 2", (2, 18)),
        (b"question,answer\nHow many legs?\n", "line 2 has 1 field, the header 2", (2, 15)),
        (b'question,answer\n"two\nlines",4\nOne, two,3\n', "line 4 has 3 fields, the header 2", (4, 10)),
    ],
)
def test_every_row_has_as_many_fields_as_the_header(
    tmp_path: Path, data: bytes, message: str, place: tuple[int, int]
) -> None:
    found = refused(tmp_path, "csv", b"question,answer\nfirst,1\n", data)
    assert where(found) == ("FTB337", "1.csv", *place)
    assert found.message == message


BROKEN_CSV = {
    "a quote inside": (b'question,answer\nsay "no",1\n', (2, 5)),
    "never closed": (b'question,answer\na,1\n"b,2\n', (3, 1)),
    "after a closing quote": (b'question,answer\n"a"b,1\n', (2, 4)),
    "an empty line": (b"question,answer\na,1\n\nb,2\n", (3, 1)),
    "carriage return": (b"question,answer\na,1\rb,2\n", (2, 4)),
    "not UTF-8": (b"question,answer\na,1\n\xe4,2\n", (3, 1)),
    "NUL": ("question,answer\na,1\n".encode("utf-16-le"), (1, 2)),
    "twice": (b"question,question\na,1\n", (1, 1)),
    "it is empty": (b"", (0, 0)),
}


@pytest.mark.parametrize("words", BROKEN_CSV)
def test_what_is_not_csv_is_refused_with_its_place(tmp_path: Path, words: str) -> None:
    data, place = BROKEN_CSV[words]
    found = refused(tmp_path, "csv", data)
    assert where(found) == ("FTB332", "0.csv", *place)
    assert words in found.message


def test_a_csv_file_that_lacks_a_column_is_named(tmp_path: Path) -> None:
    found = refused(tmp_path, "csv", b"question,answer\na,1\n", b"question,note\nb,2\n")
    assert where(found) == ("FTB306", "1.csv", 2, 1)


def test_an_empty_end_of_a_csv_file_says_nothing(tmp_path: Path) -> None:
    rows = tables.load(tmp_path, "csv", [b"question,answer\r\na,1\r\n\r\n\n"], QA).rows
    assert rows == [{"question": "a", "answer": "1"}]


# --- case 2: whole numbers of any length -----------------------------------------------------------------------------

LONG = ["1690000000000000007", "1690000000000000011"]


def test_values_of_csv_are_texts(tmp_path: Path) -> None:
    data = f"question,answer\nwho,{LONG[0]}\nwhat,007\nwhen,\nhow,4.50\n".encode()
    rows = tables.load(tmp_path, "csv", [data], QA).rows
    assert [row["answer"] for row in rows] == [LONG[0], "007", "", "4.50"]


def test_long_numbers_of_json_are_refused_by_row_and_column_or_kept_as_texts(tmp_path: Path) -> None:
    data = f'{{"question": "a", "answer": 1}}\n{{"question": "b", "answer": {LONG[0]}}}\n'.encode()
    found = refused(tmp_path, "jsonl", data)
    assert where(found) == ("FTB307", "0.jsonl", 2, 1)
    assert "line 2, column `answer`" in found.message and LONG[0] in found.message
    rows = tables.load(tmp_path, "jsonl", [data], {**QA, "answer": as_type("answer", "text")}).rows
    assert [row["answer"] for row in rows] == ["1", LONG[0]]
    assert tables.load(tmp_path, "jsonl", [data], {"question": "question"}).rows[1] == {"question": "b"}, (
        "not asked for"
    )


@pytest.mark.parametrize("value", [2**53 - 1, -(2**53) + 1])
def test_the_largest_exact_numbers_are_kept(tmp_path: Path, value: int) -> None:
    columns: Any = {"n": as_type("n", "integer")}
    rows = tables.load(tmp_path, "csv", [f"n\n{value}\n".encode()], columns).rows
    assert rows == tables.load(tmp_path, "jsonl", [f'{{"n": {value}}}'.encode()], {"n": "n"}).rows == [{"n": value}]
    beyond = value + (1 if value > 0 else -1)
    assert refused(tmp_path, "csv", f"n\n{beyond}\n".encode(), columns=columns).code == "FTB339"
    assert refused(tmp_path, "jsonl", f'{{"n": {beyond}}}'.encode(), columns={"n": "n"}).code == "FTB307"


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        *(("integer", text) for text in ["007", "+4", " 4", "4.0", "", "x", "1e3", "-", "٣", "9" * 5000]),
        *(("number", text) for text in ["007", "+4", "4 ", ".5", "5.", "", "x", "nan", "inf", "1e999", "0x1"]),
    ],
)
def test_what_spells_no_number_is_refused_with_line_and_column(tmp_path: Path, kind: str, text: str) -> None:
    data = f"question,answer\na,1\nb,{text}\n".encode()
    found = refused(tmp_path, "csv", data, columns={**QA, "answer": as_type("answer", kind)})
    assert where(found) == ("FTB339", "0.csv", 3, 1)
    assert "line 3, column `answer`" in found.message


# --- case 3: mixed types ---------------------------------------------------------------------------------------------

CODES = [{"question": "a", "answer": "020"}, {"question": "b", "answer": "8"}, {"question": "c", "answer": 5}]


@pytest.mark.parametrize("cut", [0, 2])
def test_mixed_types_are_refused_with_the_first_row_of_each(tmp_path: Path, cut: int) -> None:
    files = [layouts.jsonl(rows) for rows in (CODES[:cut], CODES[cut:]) if rows]
    found = refused(tmp_path, "jsonl", *files)
    last, line = (1, 1) if cut else (0, 3)
    assert where(found) == ("FTB338", f"{last}.jsonl", line, 1)
    assert f"line {line}, column `answer`: a number (5), and a text ('020') in 0.jsonl, line 1" == found.message


def test_a_column_said_to_be_text_takes_both(tmp_path: Path) -> None:
    columns = {**QA, "answer": as_type("answer", "text")}
    rows = tables.load(tmp_path, "json", [layouts.json_(CODES)], columns).rows
    assert [row["answer"] for row in rows] == ["020", "8", "5"]


@pytest.mark.parametrize("value", [True, [1], {"a": 1}])
def test_other_types_of_json_do_not_mix_with_text(tmp_path: Path, value: Any) -> None:
    rows = [*CODES[:2], {"question": "d", "answer": value}]
    found = refused(tmp_path, "json", layouts.json_(rows))
    assert found.code == ("FTB338" if value is True else "FTB339")
    assert "column `answer`" in found.message
    assert tables.load(tmp_path, "json", [layouts.json_(rows)], {"question": "question"}).rows[2] == {"question": "d"}


def test_a_field_may_be_absent_in_early_rows(tmp_path: Path) -> None:
    rows = [{"question": "a"}, {"question": "b", "answer": None}, {"question": "c", "answer": "x"}]
    wanted = [{"question": row["question"], "answer": row.get("answer")} for row in rows]
    for format_, write in (("jsonl", layouts.jsonl), ("json", layouts.json_)):
        assert tables.load(tmp_path, format_, [write(rows)], QA).rows == wanted
        assert tables.load(tmp_path, format_, [write(rows[:1]), write(rows[1:])], QA).rows == wanted
    assert tables.load(tmp_path, "parquet", [layouts.parquet(wanted)], QA).rows == wanted
    assert refused(tmp_path, "jsonl", layouts.jsonl(rows[:1])).code == "FTB306"


# --- case 4: dates ---------------------------------------------------------------------------------------------------


def test_dates_stay_texts(tmp_path: Path) -> None:
    rows = [{"question": f"Bill {n}?", "answer": f"2031-0{n}-28"} for n in range(1, 6)]
    writers = {"jsonl": layouts.jsonl, "json": layouts.json_, "csv": layouts.csv_, "parquet": layouts.parquet}
    for format_, write in writers.items():
        assert tables.load(tmp_path, format_, [write(rows)], QA).rows == rows


def test_a_parquet_file_of_dates_needs_the_type(tmp_path: Path) -> None:
    days = pyarrow.array([20000, 20001], pyarrow.date32())
    times = pyarrow.array([1, 2], pyarrow.timestamp("us"))
    buffer = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table({"question": ["a", "b"], "answer": days, "at": times}), buffer)
    found = refused(tmp_path, "parquet", buffer.getvalue())
    assert found.code == "FTB339" and "row 0 (from 0), column `answer`" in found.message
    found = refused(tmp_path, "parquet", buffer.getvalue(), columns={"at": "at"})
    assert found.code == "FTB339" and "timestamp[us]" in found.message
    columns = {**QA, "answer": as_type("answer", "text")}
    rows = tables.load(tmp_path, "parquet", [buffer.getvalue()], columns).rows
    assert [row["answer"] for row in rows] == ["2024-10-04", "2024-10-05"]


def test_a_column_is_told_by_the_name_that_the_file_has(tmp_path: Path) -> None:
    columns: Any = {"question": "question", "out": as_type("answer", "integer")}
    assert "column `answer`" in refused(tmp_path, "csv", b"question,answer\na,x\n", columns=columns).message
    assert "column `answer`" in refused(tmp_path, "jsonl", layouts.jsonl(CODES), columns={"out": "answer"}).message


# --- JSON, and what it is not ----------------------------------------------------------------------------------------

BROKEN_JSON: dict[str, tuple[bytes, str, tuple[int, int]]] = {
    "a name twice": (b'{"question": "a", "answer": "1", "answer": "2"}', "stands twice", (1, 1)),
    "no number": (b'{"question": "a", "answer": NaN}', "NaN is no JSON", (1, 1)),
    "too large": (b'{"question": "a", "answer": 1e999}', "too large", (1, 1)),
    "many digits": (b'{"question": "a", "answer": ' + b"9" * 5000 + b"}", "5,000 digits", (1, 1)),
    "deep": (b'{"question": ' + b"[" * 200_000 + b"]" * 200_000 + b"}", "deep", (1, 1)),
    "no object": (b"[1]", "an object is expected", (1, 1)),
    "two in a line": (b'{"question": "a"} {"question": "b"}', "follows", (1, 19)),
    "a line break": (b'{"question": "a\nb"}', "control character", (1, 0)),
    "comma": (b'{"question": "a",}', "double quotes", (1, 0)),
    "bytes": (b'{"question": "\xff"}', "not UTF-8", (1, 15)),
}


@pytest.mark.parametrize("format_", ["jsonl", "json"])
@pytest.mark.parametrize("name", BROKEN_JSON)
def test_what_is_not_json_is_refused_with_its_place(tmp_path: Path, name: str, format_: str) -> None:
    data, words, (line, column) = BROKEN_JSON[name]
    good = b'{"question": "x", "answer": "1"}'
    whole = good + b"\n" + data + b"\n" if format_ == "jsonl" else b"[" + good + b",\n" + data + b"]"
    found = refused(tmp_path, format_, whole)
    assert found.code == "FTB332" and found.place is not None
    assert found.place.line == line + 1
    assert not column or found.place.column == column
    if name != "two in a line" or format_ == "jsonl":
        assert words.lower() in found.message.lower() or name in ("a line break", "comma", "no object")


def test_lines_of_json_in_a_file_said_to_be_an_array_are_told(tmp_path: Path) -> None:
    found = refused(tmp_path, "json", layouts.jsonl(CODES))
    assert where(found) == ("FTB332", "0.json", 1, 1) and "format: jsonl" in found.hint
    assert refused(tmp_path, "jsonl", layouts.json_(CODES)).code == "FTB332"


def test_half_a_character_is_refused(tmp_path: Path) -> None:
    found = refused(tmp_path, "jsonl", b'{"question": "a", "answer": "\\ud83d"}')
    assert where(found) == ("FTB307", "0.jsonl", 1, 1)
    assert (
        tables.load(tmp_path, "jsonl", [b'{"question": "a", "answer": "\\ud83d\\ude00"}'], QA).rows[0]["answer"] == "😀"
    )


# --- parquet ---------------------------------------------------------------------------------------------------------


def test_the_kind_of_a_parquet_number_or_text_moves_no_digest(tmp_path: Path) -> None:
    wanted = [{"n": 1, "t": "x"}, {"n": -2, "t": "y"}]
    for number in (pyarrow.int8(), pyarrow.int64(), pyarrow.float32(), pyarrow.float64()):
        for text in (pyarrow.string(), pyarrow.large_string(), pyarrow.dictionary(pyarrow.int8(), pyarrow.string())):
            columns = {"n": pyarrow.array([1, -2], number), "t": pyarrow.array(["x", "y"]).cast(text)}
            buffer = io.BytesIO()
            pyarrow.parquet.write_table(pyarrow.table(columns), buffer)
            rows = tables.load(tmp_path, "parquet", [buffer.getvalue()], {"n": "n", "t": "t"}).rows
            assert digests.rows_digest(rows) == digests.rows_digest(wanted)


def test_parquet_values_without_a_form_in_json_are_refused(tmp_path: Path) -> None:
    for value, code in ((float("nan"), "FTB307"), (2**60, "FTB307"), (b"bytes", "FTB339"), ([1], "FTB339")):
        found = refused(tmp_path, "parquet", layouts.parquet([{"x": value}]), columns={"x": "x"})
        assert found.code == code and "row 0 (from 0), column `x`" in found.message


# --- normalisers, and the whole line ---------------------------------------------------------------------------------


def test_a_normaliser_says_which_columns_are_numbers(tmp_path: Path) -> None:
    columns: Any = {"sentence": "sentence", "answer": "answer"}
    good = b"text,label\nup,1\ndown,0\n"
    assert [row["answer"] for row in tables_normalised(tmp_path, good, columns)] == [2, 0]
    with pytest.raises(FtbenchError, match=r"0\.csv:3:1 FTB339 line 3, column `label`"):
        tables_normalised(tmp_path, b"text,label\nup,1\ndown,x\n", columns)
    with pytest.raises(FtbenchError, match=r"0\.csv:3:1 FTB334.*row 1"):
        tables_normalised(tmp_path, b"text,label\nup,1\ndown,7\n", columns)


def tables_normalised(folder: Path, data: bytes, columns: Any) -> list[dict[str, Any]]:
    from ftbench.data import columns as values
    from ftbench.data.formats import csv
    from ftbench.data.formats.base import DataFile
    from ftbench.data.normalise import NORMALISERS

    (folder / "0.csv").write_bytes(data)
    tfns = NORMALISERS["tfns"]
    return tfns.apply(values.typed(csv.read(DataFile(folder / "0.csv", "0.csv")), tfns.types), "it").rows


def spec_file(folder: Path, name: str, format_: str, columns: Any, clients: int, partition: Any) -> Path:
    """The quickstart on training rows of the hub, as a file. JSON is YAML."""
    value = load_spec(builtin.specs()["quickstart"]).spec.model_dump(mode="json")
    value["metadata"] |= {"name": "own-rows"}
    value["data"] |= {
        "source": {"kind": "hub", "repo": "some/own", "revision": None, "files": [name], "format": format_},
        "columns": columns,
    }
    value["federation"] |= {"clients": clients, "partition": partition, "sampling": {"fraction": 1.0}, "min_replies": 1}
    path = folder / "own-rows.yaml"
    path.write_text(json.dumps(value))
    return path


def test_long_author_numbers_make_two_clients(hub: Any, tmp_path: Path) -> None:
    rows = [{"author": LONG[n % 2], "question": f"Which {n}?", "answer": f"number {n}"} for n in range(8)]
    hub.add("dataset", "some/own", {"train.csv": layouts.csv_(rows)})
    partition = {"kind": "natural", "group": "author", "deal": "one-each"}
    path = spec_file(tmp_path, "train.csv", "csv", {**QA, "author": "author"}, 2, partition)
    store = tmp_path / "store"
    assert run(["lock", str(path), "--store", str(store)]) == 0
    pins = load_pins(path)
    assert pins.partition is not None and pins.partition.sizes == [4, 4]
    held = Store([store]).rows(str(pins.sources["train"].digest))
    assert held == rows


@pytest.mark.parametrize(
    ("name", "format_", "data", "words"),
    [
        ("train.csv", "csv", b"question,answer\nWhy?,so,\n", ":2:9 FTB337 line 2 has 3 fields, the header 2"),
        ("train.jsonl", "jsonl", layouts.jsonl(CODES), ":3:1 FTB338 line 3, column `answer`: a number (5)"),
    ],
)
def test_lock_tells_file_line_and_column(
    hub: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, format_: str, data: bytes, words: str
) -> None:
    hub.add("dataset", "some/own", {name: data})
    path = spec_file(tmp_path, name, format_, QA, 1, {"kind": "iid"})
    assert run(["lock", str(path), "--store", str(tmp_path / "store")]) == 3
    told = capsys.readouterr().err
    assert f"/{name}{words}" in told.replace("\n", " ").replace("  ", " ")
    assert "Traceback" not in told
    kept = load_pins(path).sources
    assert not kept["train"].digest and all(pin.digest for key, pin in kept.items() if key != "train")
