"""Local files as data: what they come to, and every way in which they may be wrong."""

from __future__ import annotations

import json
import os
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ftbench import builtin
from ftbench.cli.main import run
from ftbench.compile.compiler import compile_spec
from ftbench.data.local import beside
from ftbench.data.pinning import attempt, lock, write_pins
from ftbench.data.pins_check import confirm_pins
from ftbench.data.store import Store
from ftbench.errors import InvalidInput, MissingResource
from ftbench.spec.emit import emit
from ftbench.spec.load import LoadedSpec, load_pins, load_spec, pins_path
from ftbench.spec.pins import Pins

TRAIN = [{"question": f"Is the number {n} an even one?", "answer": ["yes", "no"][n % 2]} for n in range(40)]
TEST = [{"question": f"Is the figure {n} an even one?", "answer": ["yes", "no"][n % 2]} for n in range(100, 112)]

Make = Callable[..., LoadedSpec]


def lines(rows: list[dict[str, Any]], end: str = "\n") -> bytes:
    return "".join(json.dumps(row) + end for row in rows).encode()


def table(rows: list[dict[str, Any]], end: str = "\n") -> bytes:
    return "".join(
        f"{row['question']},{row['answer']}{end}" for row in [{"question": "question", "answer": "answer"}, *rows]
    ).encode()


def document(**source: Any) -> dict[str, Any]:
    value: dict[str, Any] = load_spec(builtin.specs()["quickstart"]).spec.model_dump(mode="json", exclude_none=True)
    value["metadata"] |= {"name": "small-local"}
    file = {"kind": "file", "files": ["train.jsonl"], "format": "jsonl"} | source
    columns = {"question": "question", "answer": "answer"}
    value["data"] |= {"source": file, "columns": columns}
    task = value["evaluation"]["tasks"][0] | {
        "name": "even",
        "source": {"kind": "file", "files": ["test.jsonl"], "format": "jsonl"},
        "columns": columns,
        "prompt": "{question}",
        "options": [" yes", " no"],
    }
    value["evaluation"]["tasks"] = [task]
    return value


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Writes a spec beside its two files into a folder, and loads it."""

    def made(folder: str = "legal", **source: Any) -> LoadedSpec:
        root = tmp_path / folder
        root.mkdir(parents=True, exist_ok=True)
        for name, rows in (("train.jsonl", TRAIN), ("test.jsonl", TEST)):
            if not (root / name).exists():
                (root / name).write_bytes(lines(rows))
        (root / "legal.yaml").write_bytes(emit(document(**source)))
        return load_spec(root / "legal.yaml")

    return made


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store([tmp_path / "store"])


def pinned(loaded: LoadedSpec, store: Store) -> Pins:
    pins = attempt(loaded.spec, store, place=loaded.place, near=beside(loaded)).check()
    write_pins(pins_path(loaded.path), pins)
    return pins


def refused(loaded: LoadedSpec, store: Store) -> str:
    with pytest.raises((InvalidInput, MissingResource)) as caught:
        attempt(loaded.spec, store, place=loaded.place, near=beside(loaded)).check()
    assert len(caught.value.diagnostics) == 1
    return caught.value.diagnostics[0].plain()


def spec_hash(loaded: LoadedSpec) -> str:
    return compile_spec(loaded.spec, load_pins(loaded.path)).lock.spec_hash


def test_rows_are_digested_and_the_hash_knows_no_path(make: Make, store: Store, tmp_path: Path) -> None:
    one = make()
    pins = pinned(one, store)
    assert pins.sources["train"].rows == 40 and pins.sources["task:even"].rows == 12
    (tmp_path / "other/data").mkdir(parents=True)
    (tmp_path / "other/data/rows.csv").write_bytes(table(TRAIN, "\r\n"))
    two = make("other", files=["data/*.csv"], format="csv")
    assert pinned(two, store).sources["train"].digest == pins.sources["train"].digest
    assert spec_hash(one) == spec_hash(two)
    compiled = compile_spec(two.spec, load_pins(two.path))
    assert not any(b"rows.csv" in data or b"data/" in compiled.plan.to_bytes() for data in compiled.files.values())
    assert load_pins(two.path).sources["train"].files.keys() == {"data/rows.csv"}  # type: ignore[union-attr]
    three = make("third", licence="CC0-1.0")
    pinned(three, store)
    assert spec_hash(three) != spec_hash(one)  # the pins say the licence, as they do for the hub


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("format_", ["jsonl", "json", "csv", "parquet"])
def test_all_formats_and_line_ends_come_to_the_same(
    make: Make, store: Store, tmp_path: Path, format_: str, end: str
) -> None:
    import pyarrow
    from pyarrow import parquet

    digest = pinned(make(), store).sources["train"].digest
    folder = tmp_path / "again"
    folder.mkdir()
    if format_ == "parquet":
        parquet.write_table(pyarrow.Table.from_pylist(TRAIN), folder / "rows.parquet")
    else:
        data = {
            "jsonl": lines(TRAIN, end),
            "csv": table(TRAIN, end),
            "json": json.dumps(TRAIN, indent=1).replace("\n", end).encode(),
        }
        (folder / f"rows.{format_}").write_bytes(data[format_])
    assert pinned(make("again", files=[f"rows.{format_}"], format=format_), store).sources["train"].digest == digest


def test_zip_text_and_a_subset(make: Make, store: Store, tmp_path: Path) -> None:
    folder = tmp_path / "zipped"
    folder.mkdir()
    with zipfile.ZipFile(folder / "rows.zip", "w") as archive:
        archive.writestr("a.txt", "".join(f"line {n} of the text\r\n" for n in range(20)))
    value = document(files=["rows.zip"], format="zip-text", member="a.txt", subset={"seed": 1, "divisor": 2}, rows=10)
    value["data"] |= {"columns": {"question": "text", "answer": "text"}}
    (folder / "test.jsonl").write_bytes(lines(TEST))
    (folder / "legal.yaml").write_bytes(emit(value))
    assert pinned(load_spec(folder / "legal.yaml"), store).sources["train"].rows == 10


def test_missing(make: Make, store: Store) -> None:
    told = refused(make(files=["trian.jsonl"]), store)
    assert "FTB330 there is no file `trian.jsonl` beside the spec" in told
    assert "did you mean `train.jsonl`?" in told and "ftbench data add ARCHIVE" in told
    assert "FTB330" in refused(make(files=["*.ndjson"]), store)
    assert "FTB330" in refused(make(files=[f"{'long' * 70}.jsonl"]), store)  # no file system has such a name


@pytest.mark.parametrize("files", [["gone.jsonl"], ["rows"], ["pipe.jsonl"], ["empty.jsonl"], ["out.jsonl"]])
def test_the_line_of_the_spec_is_told(make: Make, store: Store, tmp_path: Path, files: list[str]) -> None:
    folder = tmp_path / "legal"
    (folder / "rows").mkdir(parents=True)
    os.mkfifo(folder / "pipe.jsonl")
    (folder / "empty.jsonl").touch()
    (folder / "out.jsonl").symlink_to("/etc/hostname")
    told = refused(make(files=files), store)
    assert re.match(rf"\S*legal.yaml:\d+:\d+ FTB\d+ .*`{files[0]}`", told) and "hint: " in told


def test_a_folder(make: Make, store: Store, tmp_path: Path) -> None:
    (tmp_path / "legal/rows").mkdir(parents=True)
    (tmp_path / "legal/rows/one.jsonl").write_bytes(lines(TRAIN))
    told = refused(make(files=["rows"]), store)
    assert "FTB330 `rows` is a folder" in told and "such as `rows/one.jsonl`" in told


def test_outside_the_tree(make: Make, store: Store, tmp_path: Path) -> None:
    (tmp_path / "train.jsonl").write_bytes(lines(TRAIN))
    told = refused(make(files=["../train.jsonl"]), store)
    assert "FTB311 `../train.jsonl` leaves the spec's folder tree" in told and "above the data" in told
    assert "FTB311" in refused(make(files=["../*.jsonl"]), store)
    for name in ("/etc/passwd", "~/train.jsonl", "a\\train.jsonl"):
        with pytest.raises(InvalidInput, match=r"FTB128 .*is no path below the spec"):
            make(files=[name])


def test_a_link(make: Make, store: Store, tmp_path: Path) -> None:
    (tmp_path / "secret.jsonl").write_bytes(lines(TRAIN))
    (tmp_path / "legal/data").mkdir(parents=True)
    (tmp_path / "legal/out.jsonl").symlink_to(tmp_path / "secret.jsonl")
    (tmp_path / "legal/up").symlink_to(tmp_path)
    (tmp_path / "legal/broken.jsonl").symlink_to(tmp_path / "nothing")
    (tmp_path / "legal/in.jsonl").symlink_to("train.jsonl")
    assert f"a symbolic link leads to {tmp_path / 'secret.jsonl'}" in refused(make(files=["out.jsonl"]), store)
    assert "FTB311" in refused(make(files=["up/secret.jsonl"]), store)
    told = refused(make(files=["broken.jsonl"]), store)
    assert "a link that leads to nothing" in told and "did you mean `broken" not in told
    (tmp_path / "legal/circle.jsonl").symlink_to("circle.jsonl")
    assert "FTB330" in refused(make(files=["circle.jsonl"]), store)
    assert "secret.jsonl" not in refused(make(files=["up/*.parquet"]), store)  # nothing outside is named
    assert pinned(make(files=["in.jsonl"]), store).resolved


def test_changed_since_lock(make: Make, store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    loaded = make()
    first = pinned(loaded, store)
    (tmp_path / "legal/train.jsonl").write_bytes(lines(TRAIN[1:]))
    drift = confirm_pins(loaded.spec, first, store, beside(loaded))
    assert [one.code for one in drift] == ["FTB322", "FTB322"] and "rows is 39, pinned is 40" in drift[1].message
    again = attempt(loaded.spec, store, first, place=loaded.place, near=beside(loaded))
    assert [one.code for one in again.warnings] == ["FTB312"]
    assert "40 rows then, 39 now" in again.warnings[0].message
    assert again.warnings[0].place and again.warnings[0].place.line
    assert run(["lock", str(loaded.path), "--check", "--store", str(store.roots[0])]) == 1
    assert "FTB322" in capsys.readouterr().err


def test_another_file_of_the_same_rows_is_stale(make: Make, store: Store, tmp_path: Path) -> None:
    from ftbench.spec.checks import check_pins

    pins = pinned(make(), store)
    (tmp_path / "legal/second.jsonl").write_bytes(lines(TRAIN))
    moved = make(files=["second.jsonl"])
    assert [one.code for one in check_pins(moved.spec, pins)] == ["FTB192"]
    assert [one.code for one in confirm_pins(moved.spec, pins, store, beside(moved))] == ["FTB320"]


def test_files_that_are_not_here_leave_the_pins(make: Make, store: Store, tmp_path: Path) -> None:
    loaded = make()
    pins = pinned(loaded, store)
    (tmp_path / "legal/train.jsonl").unlink()
    tried = attempt(loaded.spec, store, pins, place=loaded.place, near=beside(loaded))
    assert tried.check() == pins and [one.code for one in tried.warnings] == ["FTB325"]
    assert confirm_pins(loaded.spec, pins, store, beside(loaded)) == []


def test_too_large(make: Make, store: Store, tmp_path: Path) -> None:
    (tmp_path / "legal").mkdir()
    with (tmp_path / "legal/huge.jsonl").open("wb") as file:
        file.truncate(5 * 10**9)  # a hole: it takes no room
    told = refused(make(files=["huge.jsonl"]), store)
    assert "FTB335 local data huge.jsonl: 5,000,000,000 bytes in 1 file is more than a source may have" in told


@pytest.mark.parametrize("format_", ["jsonl", "json", "csv", "parquet"])
def test_empty(make: Make, store: Store, tmp_path: Path, format_: str) -> None:
    (tmp_path / "legal").mkdir()
    (tmp_path / f"legal/empty.{format_}").touch()
    told = refused(make(files=[f"empty.{format_}"], format=format_), store)
    assert f"FTB328 `empty.{format_}` is empty: it has no bytes" in told and "out of `files`" in told


def test_not_utf8(make: Make, store: Store, tmp_path: Path) -> None:
    (tmp_path / "legal").mkdir()
    data = table([{"question": "Is a café open?", "answer": "yes"}])
    (tmp_path / "legal/rows.csv").write_bytes(data.decode().encode("cp1252"))
    told = refused(make(files=["rows.csv"], format="csv"), store)
    assert "rows.csv:2:9 FTB332 the file cannot be read: not UTF-8 in line 2" in told
    assert "iconv -f CP1252 -t UTF-8" in told
    (tmp_path / "legal/rows.csv").write_bytes(data.decode().encode("utf-16"))
    assert "iconv" in refused(make(files=["rows.csv"], format="csv"), store)


def test_windows_line_ends_inside_values(make: Make, store: Store, tmp_path: Path) -> None:
    (tmp_path / "legal").mkdir()
    rows = [{"question": f"{row['question']}\r\nAnswer:", "answer": row["answer"]} for row in TRAIN]
    (tmp_path / "legal/train.jsonl").write_bytes(lines(rows, "\r\n"))
    loaded = make()
    tried = attempt(loaded.spec, store, place=loaded.place, near=beside(loaded))
    assert [one.code for one in tried.warnings] == ["FTB313"]
    assert "40 of 40 rows hold line ends of Windows in column `question`" in tried.warnings[0].message


def test_no_permission_and_no_file(make: Make, store: Store, tmp_path: Path) -> None:
    (tmp_path / "legal").mkdir()
    os.mkfifo(tmp_path / "legal/pipe.jsonl")
    assert "`pipe.jsonl` is no regular file" in refused(make(files=["pipe.jsonl"]), store)
    (tmp_path / "legal/rows.py").write_text("print()")
    assert "FTB331" in refused(make(files=["rows.py"]), store)


def test_an_extended_source_is_read_where_it_stands(make: Make, store: Store, tmp_path: Path) -> None:
    make("specs/base")
    (tmp_path / "specs/mine").mkdir()
    child = tmp_path / "specs/mine/variant.yaml"
    child.write_text("ftbench: spec/v1\nextends: ../base/legal.yaml\nmetadata: {name: variant}\n")
    loaded = load_spec(child)
    assert pinned(loaded, store).sources["train"].rows == 40


@pytest.mark.parametrize("word", ["local", "json", "csv", "disk"])
def test_other_words_for_it_get_a_hint(make: Make, word: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        make(kind=word)
    assert any("`{kind: file, files: [train.jsonl], format: jsonl}`" in one.hint for one in caught.value.diagnostics)


def test_lock_without_knowing_where_is_a_bug_of_the_caller(make: Make, store: Store) -> None:
    with pytest.raises(ValueError, match="where their paths begin"):
        lock(make().spec, store)
