from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from evaluations import likelihood

from ftbench.errors import MissingResource
from ftbench.result import bundle, names, samples
from ftbench.result.documents import Cost, Environment, Result, Sample, Withheld
from ftbench.result.score import score
from ftbench.spec.canonical import sha256
from ftbench.spec.model import BaseModelRef

ANSWERS: dict[str, Any] = {"loglikelihoods": [-1.0, -2.0]}
ITEM = {"index": 0, "item": "a" * 64, "prompt": "?", "options": ["a", "b"], "target": 0}
SAMPLE = Sample.model_validate(ITEM | {"untuned": ANSWERS, "tuned": ANSWERS})
ENVIRONMENT = Environment(python="3.11", system="Linux", cpu_count=1, devices=[], packages={})


def result(seed: int = 1) -> Result:
    return Result(
        name="quickstart", version="0.1.0", spec_hash="a" * 64, entry="b" * 64, base_model="c" * 64, seed=seed,
        model=BaseModelRef(name="builtin/micro", revision="c" * 64), engine="inline", adapter="d" * 64,
        checkpoint_round=1,
        ledger="e" * 64, scores=score({"jars": [SAMPLE]}, likelihood("jars")), exclusions=0,
        bit_reproducible=True, smoke=False, unpinned=False,
        cost=Cost(
            bytes_down=1, bytes_up=1, trainable_parameters=1, rounds=1, train_seconds=None, evaluate_seconds=None,
            peak_memory_bytes=None,
        ),
    )  # fmt: skip


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    for path in [*bundle.COPIED.values(), "evaluation/samples/jars.jsonl.gz"]:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(path.encode())
    return tmp_path


def test_assemble(run_dir: Path) -> None:
    made = bundle.assemble(run_dir, result(), ENVIRONMENT)
    assert made == run_dir / "bundle"
    opened = bundle.open_bundle(made)
    assert opened.problems == [] and set(opened.files) == {*names.FIXED, "samples/jars.jsonl.gz"}
    manifest = json.loads(opened.files[names.MANIFEST])
    assert {name: entry["sha256"] for name, entry in manifest["files"].items()} == {
        name: sha256(content) for name, content in opened.files.items() if name != names.MANIFEST
    }
    assert opened.files[names.LOCK] == b"compiled/ftbench.lock"


def test_replaces_the_old_one_whole(run_dir: Path) -> None:
    first = bundle.open_bundle(bundle.assemble(run_dir, result(), ENVIRONMENT)).files
    (run_dir / "bundle" / "stray").write_text("x")
    again = bundle.open_bundle(bundle.assemble(run_dir, result(), ENVIRONMENT)).files
    assert again == first, "the same run gives the same bytes"
    other = bundle.open_bundle(bundle.assemble(run_dir, result(seed=2), ENVIRONMENT)).files
    assert other[names.RESULT] != first[names.RESULT]
    assert sorted(p.name for p in run_dir.iterdir() if "bundle" in p.name) == ["bundle"], "nothing is left behind"


def test_says_what_is_missing(run_dir: Path) -> None:
    (run_dir / "ledger.jsonl").unlink()
    (run_dir / "evaluation/samples/jars.jsonl.gz").unlink()
    with pytest.raises(MissingResource) as caught:
        bundle.assemble(run_dir, result(), ENVIRONMENT)
    assert len(caught.value.diagnostics) == 2
    assert not (run_dir / "bundle").exists()


def test_a_failure_leaves_the_old_one(run_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = bundle.open_bundle(bundle.assemble(run_dir, result(), ENVIRONMENT)).files

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        bundle.assemble(run_dir, result(seed=2), ENVIRONMENT)
    assert bundle.open_bundle(run_dir / "bundle").files == before
    assert sorted(p.name for p in run_dir.iterdir() if "bundle" in p.name) == ["bundle"]


def test_text_that_may_not_be_passed_on_is_digested(run_dir: Path) -> None:
    name = "samples/jars.jsonl.gz"
    (run_dir / "evaluation" / name).write_bytes(samples.dump([SAMPLE]))
    made = bundle.open_bundle(bundle.assemble(run_dir, result(), ENVIRONMENT, ["jars"])).files
    (line,) = samples.parse(made[name], name)
    assert line.prompt == Withheld(sha256=sha256(b"?"))
    assert line.options == [Withheld(sha256=sha256(b"a")), Withheld(sha256=sha256(b"b"))]
    assert line.model_copy(update={"prompt": "?", "options": ["a", "b"]}) == SAMPLE
    assert json.loads(made[names.RESULT])["format"] == "ftbench/result/v2"
    assert samples.parse((run_dir / "evaluation" / name).read_bytes(), name) == [SAMPLE], "the run keeps its own"
    open_one = bundle.open_bundle(bundle.assemble(run_dir, result(), ENVIRONMENT)).files
    assert samples.parse(open_one[name], name) == [SAMPLE]
    assert json.loads(open_one[names.RESULT])["format"] == "ftbench/result/v1"
