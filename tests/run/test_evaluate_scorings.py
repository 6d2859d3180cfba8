"""All scorings, code tasks and references, from the compiled tasks through the worker to the samples and scores."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import evaluation_world
import pytest
from evaluation_world import RICH, World

from ftbench.errors import InvalidInput, MissingResource
from ftbench.result.documents import Answer, Sample
from ftbench.result.score import score
from ftbench.run.evaluation import programs
from ftbench.run.evaluation.answers import read
from ftbench.run.evaluation.evaluate import evaluate_adapter, evaluate_run
from ftbench.spec.model import Evaluation

ITEMS = 8
REFERENCES = {"centralised": True, "local": True}
NAMES = ["centralised", "local-0", "local-1", "local-2", "local-3"]

pytestmark = pytest.mark.skipif(os.environ.get("FTBENCH_TESTS_WITHOUT_SANDBOX") == "1", reason="no sandbox")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    folder = tmp_path_factory.mktemp("scorings")
    made = evaluation_world.make(folder, items=ITEMS, tasks=RICH, references=REFERENCES)
    for seed, name in enumerate(NAMES):
        evaluation_world.make_adapter(folder / "model", made.run / "references" / name / "adapter", seed=20 + seed)
    return made


@pytest.fixture(scope="module")
def found(world: World) -> dict[str, list[Sample]]:
    return evaluate_run(world.run, store=world.store, batch_size=8, on_progress=lambda *_: None)


def test_every_answer_holds_what_its_task_asks_for(found: dict[str, list[Sample]]) -> None:
    asked = {"colours": (True, True, False), "places": (False, True, False), "sums": (False, True, True)}
    for task, lines in found.items():
        assert [line.index for line in lines] == list(range(ITEMS))
        for line in lines:
            assert list(line.references) == NAMES
            for answer in (line.untuned, line.tuned, *line.references.values()):
                has = (answer.loglikelihoods is not None, answer.text is not None, answer.passed is not None)
                assert has == asked[task]
    assert found["sums"][0].options == [] and found["sums"][0].target is None
    assert found["colours"][0].options == evaluation_world.COLOURS
    assert found["places"][0].options == [" red", " a road"]
    texts = {name: [s.references[name].text for s in found["colours"]] for name in NAMES}
    assert len({str(text) for text in texts.values()}) == len(NAMES)


def test_programs_are_what_was_written(world: World, found: dict[str, list[Sample]]) -> None:
    for line in found["sums"]:
        for answer in (line.untuned, line.tuned, *line.references.values()):
            assert answer.passed == (answer.status == "passed")
            if line.index % 2:
                assert not answer.passed
    assert any(line.tuned.passed for line in found["sums"])
    measured = json.loads((world.run / "evaluation" / "measured.json").read_bytes())
    assert measured["sandbox"] == "bubblewrap"


def test_scores(world: World, found: dict[str, list[Sample]]) -> None:
    scores = score(found, world.plan.typed_spec().evaluation)
    assert {name: task.scoring for name, task in scores.tasks.items()} == {
        "colours": "likelihood",
        "places": "generated",
        "sums": "pass@1",
    }
    assert list(scores.tasks["colours"].also) == ["generated", "flowertune"]
    assert scores.tasks["colours"].also["generated"].tuned.unparsable > 0  # a random model babbles
    assert set(scores.references) == set(NAMES)
    assert scores.local is not None and scores.local.models == 4


def test_one_adapter_alone(world: World, found: dict[str, list[Sample]], tmp_path: Path) -> None:
    told: list[str] = []
    alone = evaluate_adapter(
        world.compiled,
        world.run / "references" / "local-2" / "adapter",
        world.base,
        store=world.store,
        out=tmp_path,
        batch_size=8,
        on_progress=lambda phase, done, total: told.append(phase),
    )
    scores = score(found, world.plan.typed_spec().evaluation)
    assert alone.mean == scores.references["local-2"]
    assert alone.tasks == {name: task.references["local-2"] for name, task in scores.tasks.items()}
    assert list(alone.also["colours"]) == ["generated", "flowertune"]
    assert "sums programs" in told


def test_a_missing_reference_is_named(world: World, tmp_path: Path) -> None:
    shutil.copytree(world.run, tmp_path / "run", ignore=shutil.ignore_patterns("evaluation", "local-3"))
    with pytest.raises(InvalidInput, match=r"FTB575.*local-3"):
        evaluate_run(tmp_path / "run", store=world.store, on_progress=lambda *_: None)


def test_without_a_sandbox_it_is_refused_before_anything_is_loaded(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(script: Path, languages: set[str], *, unsafe: bool = False) -> str:
        return "" if unsafe else "python: bwrap is not installed"

    monkeypatch.setattr(programs.programs, "missing", missing)
    with pytest.raises(MissingResource, match=r"FTB573.*bwrap is not installed") as caught:
        evaluate_adapter(world.compiled, None, world.base, store=world.store, out=tmp_path, on_progress=lambda *_: None)
    assert "--unsafe-no-sandbox" in str(caught.value.diagnostics[0].hint)
    assert not (tmp_path / "cache.jsonl").exists()
    assert programs.check_sandbox(world.compiled, world.plan, unsafe=True) == "none"


# --- models that are odd, through the compiled tasks and the harness -----------------------------------------------


def answered_by(world: World, text: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, list[Sample]]:
    """Samples of a model that writes `text` to everything and finds the first option likeliest."""
    from lm_eval.api.model import LM
    from lm_eval.evaluator import evaluate
    from lm_eval.tasks import TaskManager

    class Odd(LM):  # type: ignore[misc]
        def loglikelihood(self, requests: list[Any], **_: Any) -> list[tuple[float, bool]]:
            return [(-1.0 if r.args[1] == evaluation_world.COLOURS[0] else -2.0, False) for r in requests]

        def generate_until(self, requests: list[Any], **_: Any) -> list[str]:
            return [text for _ in requests]

        def loglikelihood_rolling(self, requests: list[Any], **_: Any) -> list[float]:
            raise AssertionError("never asked")

    monkeypatch.setenv("FTBENCH_STORE", str(world.store.roots[0]))
    tasks = TaskManager(include_path=str(world.compiled / "tasks"), include_defaults=False)
    results = evaluate(
        Odd(), tasks.load(["colours", "colours-generated"]), bootstrap_iters=0, log_samples=True, limit=None
    )
    (task, *_) = world.plan.typed_spec().evaluation.tasks
    asked = read(task, results)
    fields = ("index", "item", "prompt", "options", "target")
    lines = [Sample(**{f: getattr(a, f) for f in fields}, untuned=a.answer, tuned=a.answer) for a in asked]
    return {task.name: lines}


@pytest.mark.parametrize(
    ("text", "says", "unparsable", "exact"),
    [
        ("", None, True, None),
        (" dark blue", 2, False, None),  # the incumbent compares the space as well
        ("As an assistant I find it hard to say which colour", None, True, None),
        ("Let me think. The sky is often blue, so I would say blue.", 3, False, None),
    ],
    ids=["mute", "one-label", "long", "long-with-an-answer"],
)
def test_odd_models_get_what_they_deserve(
    world: World, monkeypatch: pytest.MonkeyPatch, text: str, says: int | None, unparsable: bool, exact: int | None
) -> None:
    lines = answered_by(world, text, monkeypatch)
    assert lines["colours"][0].tuned == Answer(loglikelihoods=[-1.0, -2.0, -2.0, -2.0], text=text)
    only = Evaluation(tasks=world.plan.typed_spec().evaluation.tasks[:1])
    task = score(lines, only).tasks["colours"]
    targets = [line.target for line in lines["colours"]]
    assert task.tuned.correct == targets.count(0)
    assert task.also["generated"].tuned.correct == targets.count(says)
    assert task.also["generated"].tuned.unparsable == ITEMS * unparsable
    assert task.also["flowertune"].tuned.correct == targets.count(exact)
