"""A test set that may not be passed on: its text is in no bundle, and who verifies takes it from their own store."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import forge
import pytest

from ftbench.board import collect, sweep
from ftbench.data.store import Store
from ftbench.errors import MissingResource
from ftbench.result import names, samples
from ftbench.result.documents import Verdict
from ftbench.result.opening import open_bundle
from ftbench.spec.canonical import sha256
from ftbench.verify.documents import read

HUB = {"kind": "hub", "repo": "a/b", "revision": "c" * 40, "files": ["a.csv"], "format": "csv", "redistribute": "no"}
Edit = Callable[[forge.Forged], None]


def outcomes(verdict: Verdict, outcome: str) -> dict[str, str]:
    return {check.check: check.evidence for check in verdict.checks if check.outcome == outcome}


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> forge.World:
    """A benchmark whose two choice tasks and whose code task may not be passed on, ranked by what models write."""

    def change(value: dict[str, Any]) -> None:
        for task in value["evaluation"]["tasks"]:
            task["source"] = HUB
            if task["kind"] == "choice":
                task["scoring"] = ["generated", "likelihood", "flowertune"]
        value["evaluation"]["tasks"][1]["source"] = {**HUB, "redistribute": None}

    return forge.make_world(tmp_path_factory.mktemp("closed"), change)


@pytest.fixture
def told(closed: forge.World) -> forge.Forged:
    """A genuine bundle of it."""
    return forge.make(closed)


def test_it_is_rescored_with_the_stores_rows(closed: forge.World, told: forge.Forged) -> None:
    verdict = closed.verdict(told.files)
    assert verdict.level == "RESCORED" and verdict.accepted, outcomes(verdict, "failed")
    passed = outcomes(verdict, "passed")
    assert passed["text-withheld"] == "digests for the text of jars, sums"
    assert passed["prompts-compiled"] == "52 prompts rendered again, 28 by digest"
    assert verdict.result is not None and verdict.result.format == "ftbench/result/v2"


def test_no_text_of_it_is_in_the_bundle(closed: forge.World, told: forge.Forged) -> None:
    for name, content in told.files.items():
        text = gzip.decompress(content) if name.endswith(".gz") else content
        for task in ("jars", "sums"):
            assert not any(row["question"].encode() in text for row in closed.items[task]), name
    assert b"shelves 3: which" in gzip.decompress(told.files[names.samples_name("shelves")])


def test_without_the_rows_nothing_of_them_counts_as_checked(told: forge.Forged, tmp_path: Path) -> None:
    verdict = told.world.verdict(told.files, _without_rows(told.world, tmp_path))
    assert verdict.level == "CONFORMS" and not verdict.accepted and not outcomes(verdict, "failed")
    left = outcomes(verdict, "not-run")
    assert {"items-asked", "prompts-compiled", "answers-possible", "scores-recomputed"} <= set(left)
    assert "withholds its items' text" in left["scores-recomputed"]


def _without_rows(world: forge.World, folder: Path) -> Store:
    """A store that has the models of the world's and no rows."""
    (folder / "models").symlink_to(world.store.roots[0] / "models")
    return Store([folder])


def _wrong_prompt(f: forge.Forged) -> None:
    with f.samples("jars") as lines:
        lines[3]["prompt"] = {"sha256": sha256(b"an easier question")}


def _wrong_option(f: forge.Forged) -> None:
    with f.samples("jars") as lines:
        lines[3]["options"][0] = {"sha256": sha256(b" anything")}


def _options_swapped(f: forge.Forged) -> None:
    with f.samples("jars") as lines:
        lines[3]["options"] = lines[3]["options"][::-1]


def _option_less(f: forge.Forged) -> None:
    with f.samples("jars") as lines:
        lines[3]["options"].pop()


def _prompts_swapped(f: forge.Forged) -> None:
    with f.samples("jars") as lines:
        lines[3]["prompt"], lines[4]["prompt"] = lines[4]["prompt"], lines[3]["prompt"]


def _code_prompt(f: forge.Forged) -> None:
    with f.samples("sums") as lines:
        lines[0]["prompt"] = {"sha256": "0" * 64}


def _text_of_one_item(f: forge.Forged) -> None:
    with f.samples("jars") as lines:
        lines[0]["prompt"] = f.world.items["jars"][0]["question"]


def _option_as_text(f: forge.Forged) -> None:
    with f.samples("jars") as lines:
        lines[0]["options"][0] = "red"


def _other_tasks_hidden(f: forge.Forged) -> None:
    with f.samples("shelves") as lines:
        for line in lines:
            line["prompt"] = {"sha256": sha256(line["prompt"].encode())}


def _old_format(f: forge.Forged) -> None:
    with f.result() as result:
        result["format"] = "ftbench/result/v1"


@pytest.mark.parametrize(
    ("edit", "check"),
    [
        (_wrong_prompt, "prompts-compiled"),
        (_wrong_option, "prompts-compiled"),
        (_options_swapped, "prompts-compiled"),
        (_option_less, "prompts-compiled"),
        (_prompts_swapped, "prompts-compiled"),
        (_code_prompt, "prompts-compiled"),
        (_text_of_one_item, "text-withheld"),
        (_option_as_text, "text-withheld"),
        (_other_tasks_hidden, "text-withheld"),
        (_old_format, "text-withheld"),
    ],
)
def test_sealed_again_it_is_refused(closed: forge.World, told: forge.Forged, edit: Edit, check: str) -> None:
    edit(told)
    forge.reseal(told)
    verdict = closed.verdict(told.files)
    assert not verdict.accepted and check in outcomes(verdict, "failed")
    assert not any(one.code == "FTB699" for one in verdict.checks)


def test_scores_of_texts_cannot_be_edited(closed: forge.World, told: forge.Forged) -> None:
    """The verifier reads what models wrote by the options that it fills in."""
    told.keep = {"scores"}
    with told.samples("jars") as lines:
        for line in lines:
            line["tuned"]["text"] = " no idea at all"
    forge.reseal(told)
    assert "scores-recomputed" in outcomes(closed.verdict(told.files), "failed")


def test_tables_read_it_with_the_store_and_do_not_break_without(
    closed: forge.World, told: forge.Forged, tmp_path: Path
) -> None:
    plan = closed.compiled.plan
    folder = forge.write_folder(told.files, tmp_path / "bundle")
    plans = {plan.spec_hash: plan}
    for store in (closed.store, None, Store([tmp_path / "none"])):
        documents = read(open_bundle(folder))
        judged = collect.Judged(closed.verdict(told.files), documents, "")
        found = collect.collect([tmp_path], lambda path, judged=judged: judged, plans=plans, store=store)  # type: ignore[misc]
        (one,) = found.submissions
        assert bool(one.marks) == (store is closed.store) and not found.refused
    assert sweep.read_scored(folder, plan, closed.store).marks == one_by_one(closed, told)
    with pytest.raises(MissingResource, match="FTB301"):
        sweep.read_scored(folder, plan, Store([tmp_path / "none"]))


def one_by_one(closed: forge.World, told: forge.Forged) -> dict[str, list[float]]:
    """Marks by hand: generated answers name the right option, programs pass."""
    found = {}
    for task in closed.spec.evaluation.tasks:
        lines = samples.parse(told.files[names.samples_name(task.name)], "")
        if task.kind == "code":
            found[task.name] = [float(bool(line.tuned.passed)) for line in lines]
        else:
            right = [task.options[line.target] for line in lines if line.target is not None]
            found[task.name] = [
                float(option in (line.tuned.text or "")) for option, line in zip(right, lines, strict=True)
            ]
    return found
