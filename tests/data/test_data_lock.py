"""Pins come out the same everywhere, and a drift of data or spec is found."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ftbench import builtin
from ftbench.data import builtin as data_builtin
from ftbench.data import digests
from ftbench.data.pinning import lock, write_pins
from ftbench.data.pins_check import confirm_pins
from ftbench.data.store import Store
from ftbench.errors import InvalidInput
from ftbench.micro.world import World
from ftbench.spec.load import load_pins, load_spec
from ftbench.spec.model import BuiltinSource, Spec
from ftbench.spec.pins import Pins
from ftbench.spec.prompts import filled, item_problems
from ftbench.spec.tasks import CodeTask, Generation

QUICKSTART = builtin.specs()["quickstart"]


@pytest.fixture(scope="module")
def spec() -> Spec:
    return load_spec(QUICKSTART).spec


@pytest.fixture(scope="module")
def pins() -> Pins:
    return load_pins(QUICKSTART)


def changed(spec: Spec, path: str, value: Any) -> Spec:
    document = spec.model_dump(mode="json")
    *above, last = path.split(".")
    block = document
    for key in above:
        block = block[int(key)] if isinstance(block, list) else block[key]
    block[last] = value
    return Spec.model_validate(document)


def codes(found: list[Any]) -> set[str]:
    return {diagnostic.code for diagnostic in found}


def test_the_committed_pins_hold(spec: Spec, pins: Pins) -> None:
    assert confirm_pins(spec, pins, Store([builtin.store()])) == []


def test_locking_gives_the_committed_pins_and_files(spec: Spec, pins: Pins, tmp_path: Path) -> None:
    assert lock(spec, Store([tmp_path])) == pins
    committed = builtin.store()
    made = sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file())
    assert {path.parts[0] for path in made} == {"data", "partitions"}
    assert all((tmp_path / path).read_bytes() == (committed / path).read_bytes() for path in made)


def test_writing_the_pins_gives_the_committed_bytes(pins: Pins, tmp_path: Path) -> None:
    write_pins(tmp_path / "x.pins.json", pins)
    assert (tmp_path / "x.pins.json").read_bytes() == QUICKSTART.with_suffix(".pins.json").read_bytes()


def test_locking_does_not_depend_on_the_hash_seed(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from ftbench import builtin; from ftbench.data.pinning import lock;"
        "from ftbench.data.store import Store; from ftbench.spec.load import load_spec;"
        "sys.stdout.write(lock(load_spec(builtin.specs()['quickstart']).spec, Store([Path(sys.argv[1])]))"
        ".model_dump_json())"
    )
    outputs = [
        subprocess.run(
            [sys.executable, "-c", script, str(tmp_path / seed)],
            env={**os.environ, "PYTHONHASHSEED": seed, "TZ": zone},
            capture_output=True,
            check=True,
        ).stdout
        for seed, zone in (("1", "UTC"), ("2", "Asia/Tokyo"))
    ]
    assert outputs[0] == outputs[1]


def test_the_partition_pin_tells_each_clients_rows(spec: Spec, pins: Pins) -> None:
    store = Store([builtin.store()])
    rows = store.rows(pins.sources["train"].digest)
    shares = store.partition(pins.partition.digest)
    assert [len(share) for share in shares] == pins.partition.sizes
    assert sum(pins.partition.sizes) == pins.sources["train"].rows
    assert digests.share_digests(rows, shares) == pins.partition.digests


@pytest.mark.parametrize(
    ("path", "value", "code"),
    [
        ("data.source.split", "test-jars", "FTB320"),
        ("data.columns", {"question": "question"}, "FTB320"),
        ("federation.clients", 5, "FTB321"),
        ("seeds.partition", 7, "FTB321"),
        ("evaluation.tasks.0.name", "another", "FTB324"),
        ("evaluation.tasks.0.columns", {"question": "question", "answer": "name"}, "FTB320"),
    ],
)
def test_a_spec_that_moved_makes_pins_stale(spec: Spec, pins: Pins, path: str, value: Any, code: str) -> None:
    assert code in codes(confirm_pins(changed(spec, path, value), pins, Store([builtin.store()])))


def test_what_pins_do_not_hold_does_not_make_them_stale(spec: Spec, pins: Pins) -> None:
    for path, value in (("training.batch_size", 8), ("federation.rounds", 2), ("metadata.title", "x")):
        assert confirm_pins(changed(spec, path, value), pins, Store([builtin.store()])) == []


@pytest.mark.parametrize(
    ("path", "value", "code"),
    [
        (["sources", "train", "digest"], "0" * 64, "FTB322"),
        (["sources", "task:jars", "rows"], 7, "FTB322"),
        (["sources", "train", "licence"], "MIT", "FTB322"),
        (["partition", "digest"], "0" * 64, "FTB323"),
        (["partition", "sizes"], [1, 2, 3, 4], "FTB323"),
        (["partition", "digests"], ["0" * 64] * 4, "FTB323"),
    ],
)
def test_edited_pins_are_found(spec: Spec, pins: Pins, path: list[str], value: Any, code: str) -> None:
    document = json.loads(pins.model_dump_json())
    block = document
    for key in path[:-1]:
        block = block[key]
    block[path[-1]] = value
    assert code in codes(confirm_pins(spec, Pins.model_validate(document), Store([builtin.store()])))


def test_changed_built_in_data_is_found(spec: Spec, pins: Pins, monkeypatch: pytest.MonkeyPatch) -> None:
    world = data_builtin.DATA_SETS["micro-world"]
    splits = {**world.splits, "train": lambda: [{**row, "answer": "red"} for row in world.splits["train"]()]}
    other = World(world.name, world.licence, world.summary, splits, world.text)
    monkeypatch.setitem(data_builtin.DATA_SETS, "micro-world", other)
    found = codes(confirm_pins(spec, pins, Store([builtin.store()])))
    assert found == {"FTB322", "FTB323"}


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("data.source", {"kind": "builtin", "name": "micro-wold", "split": "train"}, "FTB304.*\n.*`micro-world`"),
        ("data.source", {"kind": "builtin", "name": "micro-world", "split": "trian"}, "FTB305.*\n.*`train`"),
        ("data.columns", {"question": "qestion"}, "FTB306.*\n.*`question`"),
        ("federation.clients", 100_000, "FTB308"),
    ],
)
def test_what_cannot_be_locked_is_said(spec: Spec, tmp_path: Path, path: str, value: Any, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        lock(changed(spec, path, value), Store([tmp_path]))


def test_sources_keep_their_order_and_drop_other_columns() -> None:
    from ftbench.data.sources import load

    source = BuiltinSource(kind="builtin", name="micro-world", split="train")
    loaded = load(source, {"q": "question"})
    assert loaded.rows == [{"q": row["question"]} for row in data_builtin.rows("micro-world", "train")]


def test_prompts_and_stop_strings_are_looked_at(spec: Spec) -> None:
    """An item's prompt that ends in white space, and a stop string that cuts the authors' solution."""
    task = spec.evaluation.tasks[0]
    (found,) = item_problems(task, {"question": "Where?\n"}, 3)
    assert found.code == "FTB365" and "item 3 of task jars" in found.message
    stripped = task.model_copy(update={"strip_prompt": "right"})
    assert not list(item_problems(stripped, {"question": "Where?\n"}, 3))
    assert filled(stripped, {"question": "Where? \n"}) == "Where?"
    mbpp = next(task for task in load_spec(builtin.specs()["code"]).spec.evaluation.tasks if task.name == "mbpp")
    assert isinstance(mbpp, CodeTask)
    row = {"problem": "p", "tests": "t", "reference": "class Pair(object):\r\n    pass\r\nclass More:\r\n    pass"}
    assert not list(item_problems(mbpp, row, 0)), "several classes, as in the set's problem 342"
    cut = mbpp.model_copy(update={"generation": Generation(max_new_tokens=8, stop=["\nclass "])})
    assert [one.code for one in item_problems(cut, row, 0)] == ["FTB366"]


def test_lock_refuses_them(tmp_path: Path, spec: Spec) -> None:
    bad = changed(spec, "evaluation.tasks.0.prompt", "{question} ")
    with pytest.raises(InvalidInput) as caught:
        lock(bad, Store([tmp_path]))
    assert codes(caught.value.diagnostics) == {"FTB365"}
    assert len(caught.value.diagnostics) == 6, "five of them, and how many more"
