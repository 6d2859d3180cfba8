"""Rows and models that are handed on: archives by digest, folders of one's own."""

from __future__ import annotations

import io
import json
import shutil
import tarfile
from pathlib import Path

import pytest

from ftbench import builtin
from ftbench.cli.main import run
from ftbench.data import digests, local_models
from ftbench.data.archive import take
from ftbench.data.store import Store
from ftbench.errors import InvalidInput, MissingResource
from ftbench.spec.canonical import canonical

MODEL = builtin.store() / "models" / builtin.MODELS["builtin/micro"]


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    """A benchmark of local files, locked."""
    for name, numbers in (("train", range(60)), ("test", range(100, 130))):
        rows = [{"clause": f"Clause {n} ends.", "answer": ["yes", "no"][n % 2]} for n in numbers]
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    out = tmp_path / "legal.yaml"
    given = ["--train", str(tmp_path / "train.jsonl"), "--test", str(tmp_path / "test.jsonl")]
    assert run(["new", "legal", *given, "--options", "yes,no", "--out", str(out)]) == 0
    assert run(["lock", str(out), "--store", str(tmp_path / "mine")]) == 0
    return out


def test_rows_travel_by_digest(spec: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    archive = tmp_path / "rows.tar"
    assert run(["data", "export", str(spec), "--out", str(archive), "--store", str(tmp_path / "mine")]) == 0
    first = archive.read_bytes()
    for name in ("train.jsonl", "test.jsonl"):
        (tmp_path / name).unlink()
    theirs = str(tmp_path / "theirs")
    assert run(["data", "fetch", str(spec), "--store", theirs]) == 4
    assert "ftbench data add ARCHIVE" in capsys.readouterr().err
    assert run(["data", "add", str(archive), "--store", theirs]) == 0
    assert "task:test: added, 30 rows" in capsys.readouterr().out
    assert run(["data", "fetch", str(spec), "--store", theirs]) == 0
    assert run(["lock", str(spec), "--check", "--store", theirs]) == 0
    assert run(["data", "export", str(spec), "--out", str(archive), "--store", theirs]) == 0
    assert archive.read_bytes() == first


def test_what_may_not_be_passed_on_stays_unless_it_is_asked_for(
    spec: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = spec.read_text().replace(
        "files: [test.jsonl], format: jsonl}", "files: [test.jsonl], format: jsonl, redistribute: no}"
    )
    spec.write_text(text)
    store, archive = str(tmp_path / "mine"), tmp_path / "rows.tar"
    assert run(["data", "export", str(spec), "--out", str(archive), "--store", store]) == 0
    assert "task:test: not in the archive" in capsys.readouterr().err
    assert [one.key for one in take(archive, Store([tmp_path / "a"]))] == ["train"]
    given = ["--only", "task:test", "--out", str(archive), "--store", store]
    assert run(["data", "export", str(spec), *given]) == 0
    assert [one.key for one in take(archive, Store([tmp_path / "a"]))] == ["task:test"]
    assert run(["data", "export", str(spec), "--only", "task:tset", "--store", store]) == 3


@pytest.mark.parametrize("wrong", ["no tar", "no index", "digest", "name", "link"])
def test_a_wrong_archive_leaves_nothing(tmp_path: Path, wrong: str) -> None:
    rows = b'{"a":1}\n'
    digest = digests.rows_digest([{"a": 1}])
    index = canonical({"format": "ftbench/data-archive/v1", "sources": {}})
    members: list[tuple[str, bytes]] = [("ftbench-data.json", index), (f"data/{digest}.jsonl", rows)]
    if wrong == "no index":
        members = members[1:]
    elif wrong == "digest":
        members.append((f"data/{'0' * 64}.jsonl", rows))
    elif wrong == "name":
        members.append(("../../evil", b""))
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
        if wrong == "link":
            info = tarfile.TarInfo(f"data/{'1' * 64}.jsonl")
            info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
            archive.addfile(info)
    path = tmp_path / "rows.tar"
    path.write_bytes(b"hello" if wrong == "no tar" else made.getvalue())
    with pytest.raises(InvalidInput, match="FTB314 this is no archive of data"):
        take(path, Store([tmp_path / "store"]))
    assert not (tmp_path / "store/data").exists()


def test_a_folder_of_ones_own_is_a_base_model(tmp_path: Path) -> None:
    store = Store([tmp_path / "store"])
    folder = tmp_path / "mine"
    shutil.copytree(MODEL, folder)
    (folder / "training_args.bin").write_bytes(b"pickle")
    (folder / "run.py").write_text("print()")
    added = local_models.add(folder, "my-lab/clauses", store)
    assert added.ref.revision == builtin.MODELS["builtin/micro"]  # what else lies there is left
    assert store.is_named(added.ref) and store.has_model(added.ref.revision)
    known = Store([tmp_path / "other"])
    assert local_models.add(folder, "my-lab/clauses", known, weights=False).ref == added.ref
    assert not known.has_model(added.ref.revision) and known.outline(added.ref.revision) == store.outline(
        added.ref.revision
    )


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda folder: (folder / "config.json").unlink(), "FTB315 the folder has no config.json"),
        (lambda folder: (folder / "tokenizer.json").unlink(), "FTB315 its tokenizer or settings cannot be read"),
        (
            lambda folder: (folder / "tokenizer.json").write_text("{}"),
            "FTB315 its tokenizer or settings cannot be read",
        ),
        (lambda folder: (folder / "model.safetensors").rename(folder / "pytorch_model.bin"), "could run code"),
        (lambda folder: (folder / "model.safetensors").write_bytes(b"\1" * 40), "FTB332"),
        (
            lambda folder: (folder / "model.safetensors").write_bytes((MODEL / "model.safetensors").read_bytes()[:-9]),
            "FTB332 this is no whole safetensors file",
        ),
        (lambda folder: (folder / "config.json").write_text("{"), "FTB332"),
        (lambda folder: (folder / "config.json").write_text('{"model_type": "own"}'), "FTB351"),
    ],
)
def test_what_is_no_model(tmp_path: Path, spoil: object, told: str) -> None:
    folder = tmp_path / "mine"
    shutil.copytree(MODEL, folder)
    spoil(folder)  # type: ignore[operator]
    with pytest.raises((InvalidInput, MissingResource), match=told):
        local_models.add(folder, "my-lab/clauses", Store([tmp_path / "store"]))
    assert not (tmp_path / "store/models").exists()


def test_names_and_paths_of_models(tmp_path: Path) -> None:
    store = Store([tmp_path / "store"])
    for name in ("clauses", "builtin/micro", "a/b/c", "a--b/c"):
        with pytest.raises(InvalidInput, match="FTB352"):
            local_models.add(MODEL, name, store)
    with pytest.raises(InvalidInput, match="there is no such folder or file"):
        local_models.add(tmp_path / "nothing", "my-lab/clauses", store)
    (tmp_path / "a.gguf").write_bytes(b"hello")
    with pytest.raises(InvalidInput, match="this is no GGUF file"):
        local_models.add(tmp_path / "a.gguf", "my-lab/clauses", store)


def test_the_command_says_what_to_write(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = ["--model", str(MODEL), "--name", "my-lab/clauses", "--store", str(tmp_path / "store")]
    assert run(["data", "add", *given]) == 0
    digest = builtin.MODELS["builtin/micro"]
    assert f"{{name: my-lab/clauses, revision: {digest}}}" in capsys.readouterr().out
    assert run(["data", "list", "--store", str(tmp_path / "store")]) == 0
    assert f"my-lab/clauses@{digest}" in capsys.readouterr().out
    for wrong in (
        ["add"],
        ["add", "--model", "x"],
        ["add", "a.tar", "--model", "x", "--name", "a/b"],
        ["list", "--out", "x"],
    ):
        assert run(["data", *wrong]) == 2
