"""Exports fit the released schemas, and read back they say what the bundle says."""

from __future__ import annotations

import json
import re
from pathlib import Path
from statistics import fmean
from typing import Any

import forge
import pytest
import yaml
from jsonschema import Draft7Validator

from ftbench.cli.main import run
from ftbench.result.documents import Result

SCHEMAS = Path(__file__).parent / "schemas"
Made = tuple[Path, list[str], forge.World]


def schema(name: str) -> Draft7Validator:
    return Draft7Validator(json.loads((SCHEMAS / f"{name}.schema.json").read_bytes()))


def exported(made: Made, out: Path) -> list[tuple[dict[str, Any], list[dict[str, Any]]]]:
    bundle, words, _ = made
    options = ["--organization", "us", "--retrieved", "1764000000", "--source-url", "https://example.org/e"]
    assert run(["export", "eee", str(bundle), *words, *options, "--out", str(out)]) == 0
    found = []
    for path in sorted(out.rglob("*.json")):
        aggregate = json.loads(path.read_bytes())
        detail = aggregate["detailed_evaluation_results"]
        lines = (out / detail["file_path"]).read_bytes().splitlines()
        assert len(lines) == detail["total_rows"] and path.with_suffix("").name in detail["file_path"]
        found.append((aggregate, [json.loads(line) for line in lines]))
    return found


def test_records_fit_the_released_schemas(made: Made, tmp_path: Path) -> None:
    records = exported(made, tmp_path)
    assert len(records) == 2, "the tuned and the untuned model"
    for aggregate, instances in records:
        schema("eval").validate(aggregate)
        assert instances
        for one in instances:
            schema("instance_level_eval").validate(one)
            assert one["evaluation_id"] == aggregate["evaluation_id"]
            assert one["model_id"] == aggregate["model_info"]["id"]


def test_scores_and_digests_come_back(made: Made, tmp_path: Path) -> None:
    result = Result.model_validate_json((made[0] / "result.json").read_bytes())
    for aggregate, instances in exported(made, tmp_path):
        tuned = aggregate["model_info"]["additional_details"].get("adapter_sha256")
        assert tuned in (result.adapter, None)
        assert aggregate["source_metadata"]["additional_details"]["spec_hash"] == result.spec_hash
        told = {one["evaluation_result_id"]: one["score_details"]["score"] for one in aggregate["evaluation_results"]}
        assert told.pop("mean") == (result.scores.tuned if tuned else result.scores.untuned).value
        for name, task in result.scores.tasks.items():
            for scoring, one in {task.scoring: task, **task.also}.items():
                wanted = (one.tuned if tuned else one.untuned).value
                marks = [
                    i["evaluation"]["score"] for i in instances if i["evaluation_result_id"] == f"{name}/{scoring}"
                ]
                assert told.pop(f"{name}/{scoring}") == wanted
                assert fmean(marks) == pytest.approx(wanted, abs=1e-12)
        assert not told


def test_text_that_may_not_be_passed_on_stays_here(made: Made, tmp_path: Path) -> None:
    exported(made, tmp_path)
    for path in tmp_path.rglob("*.jsonl"):
        for line in path.read_text("utf-8").splitlines():
            one = json.loads(line)
            hidden = one["evaluation_name"] == "jars"
            assert one["input"]["raw"].startswith("withheld, sha256 ") == hidden
            assert not hidden or "which one?" not in line
            assert not hidden or all(text.startswith("withheld") for text in one["output"]["raw"])


def test_the_same_bundle_gives_the_same_files(made: Made, tmp_path: Path) -> None:
    for name in ("a", "b"):
        exported(made, tmp_path / name)
    first, second = (
        {
            path.relative_to(tmp_path / name): path.read_bytes()
            for path in (tmp_path / name).rglob("*")
            if path.is_file()
        }
        for name in ("a", "b")
    )
    assert first == second and len(first) == 4


def test_the_hub_gets_what_it_has_a_data_set_of(made: Made, tmp_path: Path) -> None:
    from huggingface_hub import parse_eval_result_entries

    bundle, words, _ = made
    link = ["--source-url", "https://example.org/entry"]
    assert run(["export", "hf", str(bundle), *words, *link, "--out", str(tmp_path)]) == 0
    (path,) = (tmp_path / ".eval_results").iterdir()
    (entry,) = parse_eval_result_entries(yaml.safe_load(path.read_text("utf-8")))
    result = Result.model_validate_json((bundle / "result.json").read_bytes())
    assert (entry.dataset_id, entry.task_id, entry.dataset_revision) == ("a/b", "jars", "c" * 40)
    assert entry.value == result.scores.tasks["jars"].tuned.value
    assert entry.source_url == "https://example.org/entry"
    assert re.search(rf"spec hash {result.spec_hash}; adapter {result.adapter}; RESCORED", entry.notes or "")


def test_what_does_not_hold_is_not_exported(made: Made, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bundle, words, world = made
    bad = forge.make(world)
    with bad.samples("shelves") as lines:
        lines[0]["tuned"]["loglikelihoods"][0] = 0.0
    forge.write_folder(bad.files, tmp_path / "bad")
    assert (
        run(["export", "eee", str(tmp_path / "bad"), *words, "--organization", "us", "--out", str(tmp_path / "o")]) == 1
    )
    assert not (tmp_path / "o").exists()
    assert run(["export", "hf", str(bundle), *words, "--source-url", "http://x", "--out", str(tmp_path / "o")]) == 2
    assert "https://" in capsys.readouterr().err
