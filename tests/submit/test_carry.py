"""Carrying: a mended scorer empties no board, another training is another result, and nothing unsound is carried."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import forge
import pytest

from ftbench.compile.compiler import Compiled, compile_spec
from ftbench.decisions import chain
from ftbench.decisions.documents import Carried
from ftbench.errors import InvalidInput
from ftbench.result import names, samples
from ftbench.result.documents import Result, Sample
from ftbench.result.files import Bundle
from ftbench.spec.canonical import pretty, sha256
from ftbench.spec.model import Spec
from ftbench.submit.carry import carry
from ftbench.submit.decide import note_carried, receive, work_off
from ftbench.submit.judge import Judge

VAL = "val@example.org"
UNBOXED = os.environ.get("FTBENCH_TESTS_WITHOUT_SANDBOX") == "1"


def compiled(world: forge.World, change: Callable[[dict[str, Any]], None]) -> Compiled:
    """The world's benchmark with a change, on the same pins."""
    value = world.spec.model_dump(mode="json")
    change(value)
    return compile_spec(Spec.model_validate(value), world.compiled.plan.pins)


def opened(files: dict[str, bytes]) -> Bundle:
    bundle = Bundle(Path("bundle"))
    for name, content in sorted(files.items()):
        bundle.add(name, content)
    return bundle


def generated_ranks(value: dict[str, Any]) -> None:
    value["metadata"]["version"] = "0.2.0"
    for task in value["evaluation"]["tasks"][:2]:
        task["scoring"] = ["generated", "likelihood"]


def other_extraction(value: dict[str, Any]) -> None:
    generated_ranks(value)
    value["evaluation"]["tasks"][0]["extraction"] = "option-letter"


def refused(call: Callable[[], object]) -> str:
    with pytest.raises(InvalidInput) as error:
        call()
    assert error.value.diagnostics[0].code == "FTB785"
    return error.value.diagnostics[0].message


@pytest.mark.skipif(UNBOXED, reason="programs are run again in the sandbox")
def test_recorded_answers_are_scored_again(world: forge.World, judge: Judge, signed: dict[int, Any]) -> None:
    new = compiled(world, generated_ranks)
    found = carry(opened(signed[1]), new, judge, VAL, None)
    before = Result.model_validate_json(signed[1][names.RESULT])
    assert found.how == "answers" and found.from_spec_hash == before.spec_hash
    assert found.to_spec_hash == new.plan.spec_hash != before.spec_hash
    for task in ("jars", "shelves"):
        assert found.scores.tasks[task].tuned == before.scores.tasks[task].also["generated"].tuned
    assert found.scores.tasks["sums"].tuned == before.scores.tasks["sums"].tuned
    moved = {edit.path for edit in found.edits if not edit.path.startswith("code.tasks/")}
    assert moved == {f"evaluation.tasks.{task}.scoring" for task in ("jars", "shelves")}


def dropped_likelihood(value: dict[str, Any]) -> None:
    for task in value["evaluation"]["tasks"][:2]:
        task["scoring"] = ["generated"]
        task["flowertune"] = None


@pytest.mark.skipif(UNBOXED, reason="programs are run again in the sandbox")
@pytest.mark.parametrize("change", [other_extraction, dropped_likelihood])
def test_other_rules_of_reading(world: forge.World, judge: Judge, signed: dict[int, Any], change: Any) -> None:
    assert carry(opened(signed[1]), compiled(world, change), judge, VAL, None).how == "answers"


@pytest.mark.parametrize(
    "path",
    [
        "training.local_steps",
        "federation.rounds",
        "adapter.alpha",
        "strategy.kind",
        "evaluation.checkpoint",
        "seeds.runs",
    ],
)
def test_another_training_is_never_carried(world: forge.World, judge: Judge, signed: dict[int, Any], path: str) -> None:
    values = {"strategy.kind": "fedmedian", "evaluation.checkpoint": "last", "seeds.runs": [1, 2, 3, 4]}

    def change(value: dict[str, Any]) -> None:
        generated_ranks(value)
        block, name = path.split(".")
        value[block][name] = values.get(path) or value[block][name] + 1
        if path == "evaluation.checkpoint":
            value["data"]["validation"] = None

    told = refused(lambda: carry(opened(signed[1]), compiled(world, change), judge, VAL, None))
    assert path in told or "data.validation" in told


def test_another_question_asks_for_the_adapter(world: forge.World, judge: Judge, signed: dict[int, Any]) -> None:
    """What was recorded answers another prompt; with somebody who asks again it is carried."""

    def change(value: dict[str, Any]) -> None:
        value["evaluation"]["tasks"][0]["prompt"] = "Well: {question}"

    new = compiled(world, change)
    assert "jars.prompt" in refused(lambda: carry(opened(signed[1]), new, judge, VAL, None))
    asked: list[bytes] = []

    def ask(folder: Path, adapter: Path | None) -> Mapping[str, Sequence[Sample]]:
        assert adapter is not None and (folder / "ftbench.lock").read_bytes() == new.files["ftbench.lock"]
        asked.append((adapter / "adapter_model.safetensors").read_bytes())
        tasks = [task.name for task in world.spec.evaluation.tasks]
        return {task: samples.parse(signed[1][names.samples_name(task)], task) for task in tasks}

    found = carry(opened(signed[1]), new, judge, VAL, ask)
    assert found.how == "adapter" and asked == [signed[1][names.ADAPTER]]


def test_nothing_unsound_is_carried(world: forge.World, judge: Judge) -> None:
    """Re-sealed as a cheat would: easier prompts, then text that nobody's rule gives these scores for."""
    new = compiled(world, generated_ranks)
    lie = forge.make(world, 3)
    with lie.samples("jars") as lines:
        lines[0]["prompt"] = "an easier question"
    forge.reseal(lie)
    assert "prompts-compiled" in refused(lambda: carry(opened(lie.files), new, judge, VAL, None))
    elsewhere = Judge(judge.store, [world.root / "nowhere"])
    assert "lock-known" in refused(lambda: carry(opened(forge.make(world).files), new, elsewhere, VAL, None))


def test_only_what_was_accepted_is_noted(
    tmp_path: Path, world: forge.World, judge: Judge, signed: dict[int, Any]
) -> None:
    results = tmp_path / "results"
    forge.write_folder(signed[1], results / "bundles" / "one")
    digest = sha256(signed[1][names.MANIFEST])
    (results / "submissions").mkdir()
    value = {"format": "ftbench/submission/v1", "bundle": digest, "place": "bundles/one"}
    (results / "submissions" / "one.json").write_bytes(pretty(value))
    told = Result.model_validate_json(signed[1][names.RESULT])
    found = Carried(
        bundle=digest,
        from_spec_hash=told.spec_hash,
        to_spec_hash="e" * 64,
        to_name="forged-world",
        to_version="0.2.0",
        how="answers",
        edits=[],
        scores=told.scores,
        verifier=VAL,
        ftbench="0.1.0",
    )

    def note() -> str:
        return note_carried(results, "one", found, verifier=VAL, key=None)

    for step in (lambda: None, lambda: list(receive(results, judge, VAL, None))):
        step()
        with pytest.raises(InvalidInput) as error:
            note()
        assert error.value.diagnostics[0].code == "FTB783"
    list(work_off(results, judge, VAL, None))
    path = Path(note())
    last = chain.read(results)[-1].body
    assert last.event == "carried" and last.carried == path.stem == sha256(path.read_bytes())
