"""Data files as others have reported them to break readers of tables; beside each the thread where it was told."""

from __future__ import annotations

import bz2
import datetime
import gzip
import io
import lzma
import time
import zipfile
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest
import tables

from ftbench.data import local
from ftbench.data.loaded import Beside
from ftbench.diagnostics import Diagnostic
from ftbench.errors import FtbenchError
from ftbench.spec.model import FileSource

QA: Any = {"question": "question", "answer": "answer"}


def refused(folder: Path, format_: str, *files: bytes, columns: Any = QA) -> Diagnostic:
    with pytest.raises(FtbenchError) as error:
        tables.load(folder, format_, files, columns)
    (found,) = error.value.diagnostics
    return found


def parquet(**columns: Any) -> bytes:
    file = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table(columns), file)
    return file.getvalue()


PLAIN = b"question,answer\nHow many legs?,4\n"


@pytest.mark.parametrize(
    ("data", "told"),
    [
        pytest.param(gzip.compress(PLAIN, mtime=0), "by gzip", id="gzip"),
        pytest.param(bz2.compress(PLAIN), "by bzip2", id="bzip2"),
        pytest.param(lzma.compress(PLAIN), "by xz", id="xz"),
        pytest.param(b"\x28\xb5\x2f\xfd\x04\x00" + PLAIN, "by zstd", id="zstd"),
        pytest.param(b"PK\x03\x04\x14\x00" + PLAIN, "by zip", id="zip"),
    ],
)
@pytest.mark.parametrize("format_", ["csv", "json", "jsonl"])
def test_a_compressed_file_under_the_name_of_a_text_is_called_so(
    tmp_path: Path, format_: str, data: bytes, told: str
) -> None:
    """stanford-crfm/helm#660, streamlit/files-connection#11: byte 0x8b in position 1. The hint was `iconv`."""
    found = refused(tmp_path, format_, data)
    assert found.code == "FTB332" and f"it is compressed, {told}" in found.message
    assert found.hint is not None and "unpack" in found.hint


def test_a_text_may_begin_like_a_tool_s_name(tmp_path: Path) -> None:
    found = tables.load(tmp_path, "csv", [b"BZh9,answer\n\xc3\xa4,4\n"], {"question": "BZh9", "answer": "answer"})
    assert found.table.rows == [{"question": "ä", "answer": "4"}]


@pytest.mark.parametrize("packed", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_damaged_member_of_an_archive_is_refused_whatever_packed_it(tmp_path: Path, packed: int) -> None:
    """WebODM/WebODM#1811, TeskaLabs/asab#550: damage is not always a BadZipFile; LZMAError came through."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", packed) as archive:
        archive.writestr("lines.txt", "".join(f"a line {number}\n" for number in range(500)))
    for at in range(40, 120, 8):
        damaged = bytearray(file.getvalue())
        damaged[at] ^= 0xFF
        (tmp_path / "a.zip").write_bytes(damaged)
        source = FileSource(kind="file", files=["a.zip"], format="zip-text", member="lines.txt")
        try:
            local.load(source, Beside(tmp_path, tmp_path))
        except FtbenchError as error:
            assert [one.code for one in error.diagnostics] == ["FTB332"]


def test_a_header_of_many_columns_is_read_in_a_moment(tmp_path: Path) -> None:
    """JuliaData/CSV.jl#275, NVIDIA/cudf#1666: each name was counted among all."""
    wide = ",".join(f"c{number}" for number in range(20_000))
    begin = time.process_time()
    tables.load(tmp_path, "csv", [f"{wide}\n{wide}\n".encode()], {"question": "c1", "answer": "c2"})
    assert time.process_time() - begin < 2


def test_columns_without_a_name_get_a_hint(tmp_path: Path) -> None:
    found = refused(tmp_path, "csv", b"question,answer,,\na,1,,\n")
    assert found.hint is not None and "a comma at the end" in found.hint


@pytest.mark.parametrize(
    ("values", "told"),
    [
        (pyarrow.array([1, 9_999_999], pyarrow.date32()), "date value out of range"),
        (pyarrow.array([b"a", b"\xff\xfe"], pyarrow.binary()).view(pyarrow.string()), "invalid start byte"),
    ],
)
def test_a_value_that_cannot_be_is_told_with_row_and_column(tmp_path: Path, values: Any, told: str) -> None:
    """apache/arrow#41266, #28964: dates beyond year 9999, and an error that names no column."""
    found = refused(tmp_path, "parquet", parquet(question=["a", "b"], answer=["1", "2"], when=values))
    assert found.code == "FTB332"
    assert "row 1 (from 0), column `when`" in found.message and told in found.message


def test_files_put_one_behind_the_other_are_told(tmp_path: Path) -> None:
    """apache/arrow#11892, UKGovernmentBEIS/inspect_ai#5353: a mark begins each file; of two in one, one is inside."""
    (tmp_path / "both.csv").write_bytes(2 * (b"\xef\xbb\xbf" + PLAIN))
    source = FileSource(kind="file", files=["both.csv"], format="csv")
    rows = local.load(source, Beside(tmp_path, tmp_path)).table.rows
    (told,) = local.left_behind("train", rows)
    assert (told.code, told.severity) == ("FTB885", "warning")
    assert "1 of 3 rows hold a byte order mark before column `question`, the first is row 1" in told.message
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).write_bytes(b"\xef\xbb\xbf" + PLAIN)
    apart = FileSource(kind="file", files=["a.csv", "b.csv"], format="csv")
    assert local.left_behind("train", local.load(apart, Beside(tmp_path, tmp_path)).table.rows) == []


@pytest.mark.parametrize(
    "columns",
    [
        {"q.x": ["1"], "answer": ["4"]},
        {"q": [{"x": "inside"}], "q.x": ["1"], "answer": ["4"]},
        {"q": ["0"], "q.x": ["1"], "q.x.y": pyarrow.array([b"2"]), "answer": ["4"]},
        {"q.x": pyarrow.array(["1"]).dictionary_encode(), "answer": pyarrow.array(["4"], pyarrow.string_view())},
        {"q.x": pyarrow.array(["1"], pyarrow.large_string()), "answer": ["4"], "__index_level_0__": [7]},
    ],
)
def test_a_dot_in_a_column_s_name_is_no_path(tmp_path: Path, columns: dict[str, Any]) -> None:
    """apache/arrow#11347, dask/fastparquet#935, databricks/koalas#217."""
    found = tables.load(tmp_path, "parquet", [parquet(**columns)], {"question": "q.x", "answer": "answer"})
    assert found.table.rows == [{"question": "1", "answer": "4"}]


@pytest.mark.parametrize(
    "values",
    [
        pyarrow.array([datetime.datetime(2020, 1, 1)]),
        pyarrow.array([[("a", "b")]], pyarrow.map_(pyarrow.string(), pyarrow.string())),
        pyarrow.array([1.5], pyarrow.float16()),
        pyarrow.array([datetime.timedelta(1)]),
    ],
)
def test_types_that_json_lacks_are_refused_only_where_they_are_used(tmp_path: Path, values: Any) -> None:
    """pandas-dev/pandas#28335, #56135: no value is turned into one of another type."""
    data = parquet(question=["a"], answer=["1"], other=values)
    assert tables.load(tmp_path, "parquet", [data], QA).table.rows == [{"question": "a", "answer": "1"}]
    assert refused(tmp_path, "parquet", data, columns={"question": "other", "answer": "answer"}).code == "FTB339"


def test_words_that_others_take_for_missing_are_words(tmp_path: Path) -> None:
    """pandas-dev/pandas#48173, #32134: `NA`, `null`, long ids beside empty fields."""
    data = b"question,answer\nNA,null\n,1582218195625938945\n"
    assert tables.load(tmp_path, "csv", [data], QA).table.rows == [
        {"question": "NA", "answer": "null"},
        {"question": "", "answer": "1582218195625938945"},
    ]
