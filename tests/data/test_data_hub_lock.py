"""lock and fetch against a hub: pins once resolved stay, and what fails changes nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import layouts
import numpy
import pytest
from jsonschema import Draft202012Validator

from ftbench import builtin
from ftbench.cli import schemas
from ftbench.cli.main import run
from ftbench.data import digests
from ftbench.data.fetch import fetch
from ftbench.data.hub import Hub
from ftbench.data.overlap import find_overlaps
from ftbench.data.partition import VALIDATION_STREAM, validation_size
from ftbench.data.pinning import lock, unresolved_pins
from ftbench.data.pins_check import confirm_pins
from ftbench.data.store import Store
from ftbench.errors import InvalidInput, MissingResource
from ftbench.spec.checks import check_pins
from ftbench.spec.load import load_pins, load_spec
from ftbench.spec.model import Spec, Validation
from ftbench.spec.pins import Pins

Connect = Callable[[], Hub]

TRAIN = layouts.alpaca(60)
ITEMS = [
    {
        "question": f"Is the number {n} an even one?",
        "subject": "s",
        "choices": ["no", "yes", "both", "none"],
        "answer": (n + 1) % 2,
    }
    for n in range(12)
]


def document(validation: Validation | None = None, **metadata: Any) -> dict[str, Any]:
    """A benchmark on two data sets of the hub, at commits that are not known yet."""
    value = load_spec(builtin.specs()["quickstart"]).spec.model_dump(mode="json")
    value["metadata"] |= {"name": "small-hub", **metadata}
    hub = {"kind": "hub", "revision": None}
    value["data"] |= {
        "source": hub | {"repo": "some/train", "files": ["data/*.parquet"], "format": "parquet", "normalise": "alpaca"},
        "columns": {"request": "request", "output": "output"},
        "prompt": "{request}\nAnswer:",
        "completion": " {output}",
        "validation": validation.model_dump() if validation else None,
    }
    (task, *_) = value["evaluation"]["tasks"]
    task |= {
        "name": "even",
        "source": hub
        | {"repo": "some/test", "files": ["test.jsonl"], "format": "jsonl", "normalise": "mmlu", "rows": 12},
        "columns": {"question": "question", "a": "option_a", "b": "option_b", "answer": "answer"},
        "prompt": "{question}",
        "options": [" {a}", " {b}"],
    }
    value["evaluation"]["tasks"] = [task]
    return value


@pytest.fixture
def spec() -> Spec:
    return Spec.model_validate(document())


@pytest.fixture
def commits(hub: Any) -> dict[str, str]:
    return {
        "train": hub.add("dataset", "some/train", {"data/0.parquet": layouts.parquet(TRAIN)}, "apache-2.0"),
        "task:even": hub.add("dataset", "some/test", {"test.jsonl": layouts.jsonl(ITEMS)}),
    }


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The spec as a file. JSON is YAML."""
    file = tmp_path / "specs" / "small-hub.yaml"
    file.parent.mkdir()
    file.write_text(json.dumps(document(), indent=1))
    return file


def codes(error: pytest.ExceptionInfo[Any]) -> list[str]:
    return [diagnostic.code for diagnostic in error.value.diagnostics]


def test_lock_resolves_commits_rows_digests_licences(
    spec: Spec, connect: Connect, commits: dict[str, str], tmp_path: Path
) -> None:
    store = Store([tmp_path / "store"])
    pins = lock(spec, store, hub=connect)
    assert pins.resolved
    assert {key: pin.revision for key, pin in pins.sources.items()} == commits
    assert {key: (pin.rows, pin.licence) for key, pin in pins.sources.items()} == {
        "train": (60, "Apache-2.0"),
        "task:even": (12, "unknown"),
    }
    assert set(store.rows(str(pins.sources["train"].digest))[0]) == {"request", "output"}
    assert confirm_pins(spec, pins, store) == []
    assert check_pins(spec, pins) == []
    assert not list((tmp_path / "scratch").iterdir())


def test_what_is_resolved_stays(hub: Any, spec: Spec, connect: Connect, commits: Any, tmp_path: Path) -> None:
    store = Store([tmp_path / "store"])
    pins = lock(spec, store, hub=connect)
    hub.add("dataset", "some/train", {"data/0.parquet": layouts.parquet(TRAIN[:50])})
    hub.requests.clear()
    assert lock(spec, store, pins, connect) == pins
    assert hub.requests == []
    assert lock(spec, Store([tmp_path / "other"]), pins, connect) == pins
    assert lock(spec, store, pins, connect, renew=True).sources["train"].rows == 50


def test_a_changed_source_is_resolved_again(spec: Spec, connect: Connect, commits: Any, tmp_path: Path) -> None:
    store = Store([tmp_path / "store"])
    pins = lock(spec, store, hub=connect)
    value = document()
    value["data"]["columns"] = {"request": "instruction", "output": "output"}
    changed = Spec.model_validate(value)
    assert "FTB320" in {one.code for one in confirm_pins(changed, pins, store)}
    again = lock(changed, store, pins, connect)
    assert again.sources["task:even"] == pins.sources["task:even"]
    assert again.sources["train"].digest != pins.sources["train"].digest
    assert again.partition and pins.partition and again.partition.digest == pins.partition.digest
    assert again.partition.inputs != pins.partition.inputs


def test_a_draft_is_pinned_offline(hub: Any, spec: Spec, connect: Connect, commits: Any, tmp_path: Path) -> None:
    pins = unresolved_pins(spec)
    assert not pins.resolved and pins.partition is None
    assert hub.requests == []
    assert [(one.code, one.severity) for one in confirm_pins(spec, pins, Store([tmp_path]))] == [("FTB326", "warning")]
    assert all(one.severity == "warning" for one in check_pins(spec, pins))
    published = Spec.model_validate(document(status="published"))
    assert [(one.code, one.severity) for one in confirm_pins(published, pins, Store([tmp_path]))] == [
        ("FTB326", "error")
    ]
    resolved = lock(spec, Store([tmp_path / "store"]), pins, connect)
    assert unresolved_pins(spec, resolved) == resolved
    value = document()
    value["evaluation"]["tasks"][0]["columns"]["b"] = "option_c"
    part = unresolved_pins(Spec.model_validate(value), resolved)
    assert part.sources["train"] == resolved.sources["train"] and part.partition == resolved.partition
    assert part.sources["task:even"].digest is None and part.sources["task:even"].revision is None


def test_the_validation_cut_is_taken_first(connect: Connect, commits: Any, tmp_path: Path) -> None:
    spec = Spec.model_validate(document(Validation(fraction=0.02, min_rows=7)))
    store = Store([tmp_path / "store"])
    pins = lock(spec, store, hub=connect)
    assert pins.partition and pins.partition.validation and pins.partition.validation_rows == 7
    (cut,) = store.partition(pins.partition.validation)
    shares = store.partition(pins.partition.digest)
    order = numpy.random.default_rng([spec.seeds.partition, VALIDATION_STREAM]).permutation(60)
    assert cut == sorted(order[:7].tolist())
    assert sorted([*cut, *(row for share in shares for row in share)]) == list(range(60))
    assert pins.partition.sizes == [14, 13, 13, 13]
    rows = store.rows(str(pins.sources["train"].digest))
    assert pins.partition.digests == digests.share_digests(rows, shares)
    assert confirm_pins(spec, pins, store) == [] and check_pins(spec, pins) == []
    without = Spec.model_validate(document())
    assert {"FTB321"} == {one.code for one in confirm_pins(without, pins, store)}
    moved = pins.model_copy(update={"partition": pins.partition.model_copy(update={"validation": "0" * 64})})
    assert {"FTB323"} == {one.code for one in confirm_pins(spec, moved, store)}
    fetched = fetch(spec, pins, Store([tmp_path / "other"]), connect)
    assert [(one.key, one.new) for one in fetched][2:] == [("partition", True), ("validation", True)]


@pytest.mark.parametrize(
    ("rows", "fraction", "least", "size"), [(100, 0.07, 1, 7), (33955, 0.02, 200, 680), (60, 0.02, 7, 7)]
)
def test_the_size_of_the_cut(rows: int, fraction: float, least: int, size: int) -> None:
    assert validation_size(rows, Validation(fraction=fraction, min_rows=least)) == size


def test_a_cut_that_leaves_too_little(connect: Connect, commits: Any, tmp_path: Path) -> None:
    for least in (60, 57):
        spec = Spec.model_validate(document(Validation(fraction=0.02, min_rows=least)))
        with pytest.raises(InvalidInput) as error:
            lock(spec, Store([tmp_path / "store"]), hub=connect)
        assert codes(error) == ["FTB308"]


def test_fetch_gives_what_is_pinned(spec: Spec, connect: Connect, commits: Any, tmp_path: Path) -> None:
    first, second = Store([tmp_path / "first"]), Store([tmp_path / "second"])
    pins = lock(spec, first, hub=connect)
    assert [(one.key, one.new) for one in fetch(spec, pins, second, connect)] == [
        ("train", True),
        ("task:even", True),
        ("partition", True),
    ]
    names = {path.relative_to(tmp_path / "first") for path in (tmp_path / "first").rglob("*") if path.is_file()}
    assert names == {
        path.relative_to(tmp_path / "second") for path in (tmp_path / "second").rglob("*") if path.is_file()
    }
    assert not any(one.new for one in fetch(spec, pins, second, connect))


def test_fetch_at_the_pinned_commit(hub: Any, spec: Spec, connect: Connect, commits: Any, tmp_path: Path) -> None:
    pins = lock(spec, Store([tmp_path / "first"]), hub=connect)
    hub.add("dataset", "some/train", {"data/0.parquet": layouts.parquet(TRAIN[:50])})
    second = Store([tmp_path / "second"])
    fetched = {one.key: one.new for one in fetch(spec, pins, second, connect)}
    assert fetched["train"]
    digest = str(pins.sources["train"].digest)
    assert len(second.rows(digest)) == len(TRAIN)
    assert second.rows(digest) == Store([tmp_path / "first"]).rows(digest)


def test_other_rows_than_pinned_are_thrown_away(
    hub: Any, spec: Spec, connect: Connect, commits: dict[str, str], tmp_path: Path
) -> None:
    """Even where the hub itself vouches for them: git names files by their content, pins name rows."""
    pins = lock(spec, Store([tmp_path / "first"]), hub=connect)
    hub.repositories["dataset", "some/train"].commits[commits["train"]] = {
        "data/0.parquet": layouts.parquet(TRAIN[::-1])
    }
    with pytest.raises(MissingResource) as error:
        fetch(spec, pins, Store([tmp_path / "second"]), connect)
    assert codes(error) == ["FTB327"]
    assert not [path for path in (tmp_path / "second").rglob("*") if path.is_file()]


def test_what_is_not_resolved_cannot_be_fetched(spec: Spec, connect: Connect, tmp_path: Path) -> None:
    with pytest.raises(MissingResource) as error:
        fetch(spec, unresolved_pins(spec), Store([tmp_path]), connect)
    assert codes(error) == ["FTB326"]


def test_items_in_the_training_rows_are_found(
    hub: Any, connect: Connect, commits: Any, tmp_path: Path, path: Path
) -> None:
    leaked = [{"instruction": "Yes or no:", "input": "", "output": "Is the number 4 an EVEN one"}]
    hub.add("dataset", "some/train", {"data/0.parquet": layouts.parquet([*TRAIN, *leaked])})
    spec, store = Spec.model_validate(document()), Store([tmp_path / "store"])
    pins = lock(spec, store, hub=connect)
    (found,) = find_overlaps(spec, pins, store)
    assert (found.task, found.items, found.found) == ("even", 12, [(4, 60)])
    assert found.examples == ["Is the number 4 an even one?"]


# --- the commands -----------------------------------------------------------------------------------------------------


def answer(capsys: pytest.CaptureFixture[str], *argv: str, code: int = 0) -> dict[str, Any]:
    capsys.readouterr()
    assert run([*argv, "--json"]) == code
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    name = "error" if "error" in found else argv[0]
    Draft202012Validator(json.loads(schemas.all_schemas()[f"output/{name}.v1.schema.json"])).validate(found)
    return found


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_lock_that_fails_in_the_middle_keeps_what_is_good(
    hub: Any, commits: Any, path: Path, tmp_path: Path, waits: Any, capsys: Any
) -> None:
    store = str(tmp_path / "store")
    assert run(["lock", str(path), "--offline", "--store", store]) == 0
    hub.fail("gated", "some/test")
    found = answer(capsys, "lock", str(path), "--store", store, code=4)["diagnostics"][0]
    assert found["code"] == "FTB343"
    assert path.read_text().splitlines()[found["line"] - 1].lstrip().startswith('"')  # its source's line in the spec
    kept = load_pins(path)
    assert kept.sources["train"].rows == 60 and kept.partition is not None
    assert kept.sources["task:even"].digest is None and not kept.resolved
    before = files(path.parent)
    answer(capsys, "lock", str(path), "--store", store, "--renew", code=4)
    assert files(path.parent) == before
    hub.heal()
    assert answer(capsys, "lock", str(path), "--store", store)["pins"]["sources"]["train"]["rows"] == 60
    assert load_pins(path).resolved
    assert not list((tmp_path / "store" / "tmp").iterdir())


def test_lock_without_a_hub_writes_nothing_and_says_so(
    path: Path, tmp_path: Path, waits: Any, capsys: Any, monkeypatch: Any
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    found = answer(capsys, "lock", str(path), "--store", str(tmp_path / "store"), code=4)
    assert found["diagnostics"][0]["code"] == "FTB340"
    assert [file.name for file in path.parent.iterdir()] == ["small-hub.yaml"]


def test_pins_that_cannot_be_read_are_not_written_over(path: Path, tmp_path: Path, commits: Any, capsys: Any) -> None:
    file = path.with_suffix(".pins.json")
    file.write_text("<<<<<<< HEAD\n")
    store = str(tmp_path / "store")
    found = answer(capsys, "lock", str(path), "--store", store, code=3)
    assert "--renew" in found["diagnostics"][0]["hint"] and file.read_text() == "<<<<<<< HEAD\n"
    answer(capsys, "lock", str(path), "--store", store, "--renew")


def test_data_commands(hub: Any, commits: Any, path: Path, tmp_path: Path, capsys: Any) -> None:
    first, second = ("--store", str(tmp_path / "first")), ("--store", str(tmp_path / "second"))
    assert run(["lock", str(path), *first]) == 0
    found = answer(capsys, "data", "fetch", str(path), *second)
    assert {item["state"] for item in found["items"]} == {"fetched"}
    found = answer(capsys, "data", "list", str(path), *second)
    mine = {item["name"]: item for item in found["items"] if item["path"].startswith(str(tmp_path / "second"))}
    assert set(mine) == {"small-hub train", "small-hub task:even", "small-hub partition"}
    assert mine["small-hub train"]["licence"] == "Apache-2.0"
    assert mine["small-hub train"]["revision"] == commits["train"]
    assert {item["state"] for item in answer(capsys, "data", "verify", *second)["items"]} == {"whole"}
    answer(capsys, "data", "overlap", str(path), *second)
    (file,) = (tmp_path / "second" / "partitions").glob("*.json")
    file.write_bytes(b"[[0]]")
    broken = answer(capsys, "data", "verify", *second, code=1)
    assert [item["kind"] for item in broken["items"] if item["state"] == "corrupt"] == ["partition"]
    assert answer(capsys, "data", "fetch", str(path), *second)["items"][2]["state"] == "fetched"
    answer(capsys, "data", "verify", *second)


@pytest.mark.parametrize("argv", [["fetch"], ["overlap"], ["list", "--model", "a/b"], ["eat"]])
def test_data_usage(argv: list[str], capsys: Any) -> None:
    assert run(["data", *argv]) == 2


def test_lock_fetch_compile_with_the_real_command(hub: Any, commits: Any, path: Path, tmp_path: Path) -> None:
    """In processes of their own, as people run them, with a home that stays empty."""
    home = tmp_path / "home"
    home.mkdir()
    env = {**os.environ, "HOME": str(home), "HF_ENDPOINT": hub.endpoint, "FTBENCH_STORE": str(tmp_path / "store")}

    def ftbench(*argv: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "ftbench", *argv], env=env, capture_output=True, text=True, cwd=tmp_path, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr

    assert commits["train"] in ftbench("lock", str(path))
    ftbench("lock", str(path), "--check")
    ftbench("data", "fetch", str(path), "--store", str(tmp_path / "other"))
    ftbench("compile", str(path), "--out", str(tmp_path / "generated"))
    plan = tmp_path / "generated" / "small-hub" / "0.1.0" / "app/ftbench_app/plan.json"
    pins = Pins.model_validate(json.loads(plan.read_bytes())["pins"])
    assert pins == load_pins(path) and pins.resolved
    assert {file for file in files(home) if not file.startswith(".cache/ftbench")} == set()
