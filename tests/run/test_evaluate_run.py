"""A run scored from end to end in the worker's process: samples, resuming, ending, errors."""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import evaluation_world
import pytest
from evaluation_world import World

from ftbench.data.store import Store
from ftbench.errors import InvalidInput, MissingResource, RunFailed
from ftbench.result import samples
from ftbench.result.documents import Sample
from ftbench.result.score import score
from ftbench.run.evaluation import evaluate
from ftbench.run.evaluation.cache import Cache
from ftbench.run.evaluation.evaluate import evaluate_adapter, evaluate_run
from ftbench.spec.canonical import digest
from ftbench.spec.model import BaseModelRef

PARENT = """
import sys
from pathlib import Path
from ftbench.data.store import Store
from ftbench.run.evaluation import process
from ftbench.run.evaluation.evaluate import evaluate_run

start = process.subprocess.Popen
def popen(*arguments, **options):
    begun = start(*arguments, **options)
    print(begun.pid, flush=True)
    return begun
process.subprocess.Popen = popen
wait = lambda *line: (print(line, flush=True), input())
evaluate_run(Path(sys.argv[1]), store=Store([Path(sys.argv[2])]), on_progress=wait)
"""


Told = list[tuple[str, int, int]]


def quiet(phase: str, done: int, total: int) -> None:
    pass


@pytest.fixture(scope="module")
def scored(
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[World, dict[str, list[Sample]], Told]:
    world = evaluation_world.make(tmp_path_factory.mktemp("scored"))
    told: Told = []
    found = evaluate_run(world.run, store=world.store, batch_size=8, on_progress=lambda *line: told.append(line))
    return world, found, told


@pytest.fixture
def run(scored: tuple[World, object, object], tmp_path: Path) -> Path:
    """A copy of the run as it was before its evaluation."""
    folder = tmp_path / "run"
    shutil.copytree(scored[0].run, folder, ignore=shutil.ignore_patterns("evaluation", "logs"))
    return folder


def test_samples(scored: tuple[World, dict[str, list[Sample]], object]) -> None:
    world, found, _ = scored
    assert list(found) == ["colours", "places"]
    for task, lines in found.items():
        rows = world.store.rows(world.plan.pins.sources[f"task:{task}"].digest)
        assert [s.index for s in lines] == list(range(24))
        assert [s.item for s in lines] == [digest(row) for row in rows]
        assert [s.target for s in lines] == [row["answer"] for row in rows]
        data = (world.run / "evaluation" / "samples" / f"{task}.jsonl.gz").read_bytes()
        assert samples.parse(data, task) == lines
    assert found["colours"][3].options == evaluation_world.COLOURS
    assert found["places"][0].prompt.startswith("{")
    assert all(s.untuned != s.tuned for s in found["colours"])
    assert sorted(p.name for p in (world.run / "evaluation").iterdir()) == [
        "cache.jsonl",
        "job.json",
        "measured.json",
        "samples",
    ]
    measured = json.loads((world.run / "evaluation" / "measured.json").read_bytes())
    assert measured["peak_memory_bytes"] > 2**26
    assert measured["seconds"] > 0


def test_progress(scored: tuple[object, object, Told]) -> None:
    told = scored[2]
    assert [phase for phase, _, _ in told] == ["untuned"] * 6 + ["tuned"] * 6
    assert {total for _, _, total in told} == {24 * 4 + 24 * 2}
    assert [done for phase, done, _ in told if phase == "tuned"][-1] == 144


def test_scored_again_it_asks_nothing(scored: tuple[World, dict[str, list[Sample]], object]) -> None:
    world, found, _ = scored
    cache = world.run / "evaluation" / "cache.jsonl"
    before = cache.read_bytes()
    assert before.count(b"\n") == 2 * 144
    assert evaluate_run(world.run, store=world.store, batch_size=8, on_progress=quiet) == found
    assert cache.read_bytes() == before


def test_killed_and_resumed_gives_the_same_bytes(
    scored: tuple[World, dict[str, list[Sample]], object], run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, _, _ = scored
    started: list[subprocess.Popen[bytes]] = []
    original = subprocess.Popen

    def popen(*arguments: object, **options: object) -> subprocess.Popen[bytes]:
        started.append(original(*arguments, **options))  # type: ignore[call-overload]
        return started[-1]

    monkeypatch.setattr(subprocess, "Popen", popen)
    turns = iter([("untuned", 48), ("tuned", 96)])

    def kill_at(phase: str, done: int) -> Callable[[str, int, int], None]:
        def progress(now: str, answered: int, total: int) -> None:
            if (now, answered) >= (phase, done) and now == phase:
                os.kill(started[-1].pid, signal.SIGKILL)

        return progress

    for turn in turns:
        with pytest.raises(RunFailed, match="FTB561"):
            evaluate_run(run, store=world.store, batch_size=8, on_progress=kill_at(*turn))
    evaluate_run(run, store=world.store, batch_size=8, on_progress=quiet)
    for task in ("colours", "places"):
        name = f"evaluation/samples/{task}.jsonl.gz"
        assert (run / name).read_bytes() == (world.run / name).read_bytes()
    with Cache(run / "evaluation" / "cache.jsonl") as cache:
        assert len(cache) == 2 * 144
    assert all(process.poll() is not None for process in started)


def test_an_exception_of_the_caller_leaves_no_process(
    scored: tuple[World, object, object], run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[subprocess.Popen[bytes]] = []
    original = evaluate.work.__globals__["_follow"]
    monkeypatch.setitem(evaluate.work.__globals__, "_follow", lambda p, on: (seen.append(p), original(p, on))[1])

    def stop(phase: str, done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        evaluate_run(run, store=scored[0].store, on_progress=stop)
    assert seen[0].poll() == -signal.SIGKILL


@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="waits for a process of another by pidfd (Linux)")
def test_worker_ends_when_its_parent_is_killed(scored: tuple[World, object, object], run: Path) -> None:
    command = [sys.executable, "-c", PARENT, str(run), str(scored[0].store.roots[0])]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        worker = os.pidfd_open(int(parent.stdout.readline()))
        assert parent.stdout.readline().startswith(b"('untuned', ")  # it is at work
        parent.kill()
        readable, _, _ = select.select([worker], [], [], 60)
        os.close(worker)
    assert readable


def test_any_adapter_can_be_scored_alone(scored: tuple[World, dict[str, list[Sample]], object], tmp_path: Path) -> None:
    world, found, _ = scored
    scores = score(found, world.plan.typed_spec().evaluation)
    alone = evaluate_adapter(
        world.compiled, world.adapter, world.base, store=world.store, out=tmp_path, on_progress=quiet
    )
    assert alone.mean == scores.tuned
    assert alone.tasks == {task: scores.tasks[task].tuned for task in found}
    assert [a.prompt for a in alone.answers["places"]] == [s.prompt for s in found["places"]]


def test_untuned_on_the_first_items(scored: tuple[World, dict[str, list[Sample]], object], tmp_path: Path) -> None:
    world, found, _ = scored
    alone = evaluate_adapter(
        world.compiled, None, world.base, store=world.store, out=tmp_path, limit=3, on_progress=quiet
    )
    assert {task: score.items for task, score in alone.tasks.items()} == {"colours": 3, "places": 3}
    for task, lines in found.items():
        for asked, sample in zip(alone.answers[task], lines, strict=False):
            assert (asked.item, asked.prompt, asked.index) == (sample.item, sample.prompt, sample.index)
            assert asked.answer.loglikelihoods == pytest.approx(sample.untuned.loglikelihoods, abs=1e-4)


def test_missing_model_and_items_are_named(scored: tuple[World, object, object], run: Path, tmp_path: Path) -> None:
    world = scored[0]
    with pytest.raises(MissingResource) as caught:
        evaluate_run(run, store=Store([tmp_path / "empty"]), on_progress=quiet)
    assert world.plan.pins.sources["task:colours"].digest in str(caught.value)
    other = BaseModelRef(name="builtin/tiny", revision="f" * 64)
    with pytest.raises(MissingResource, match="f" * 64):
        evaluate_adapter(world.compiled, None, other, store=world.store, out=tmp_path / "out", on_progress=quiet)


def test_errors_of_the_worker_are_diagnostics(scored: tuple[World, object, object], run: Path) -> None:
    (run / "adapter" / "adapter_model.safetensors").write_bytes(b"not safetensors")
    with pytest.raises(InvalidInput, match="FTB567"):
        evaluate_run(run, store=scored[0].store, limit=1, on_progress=quiet)
    assert "FTB567" in (run / "logs" / "evaluate.log").read_text()
    (run / "adapter" / "adapter_config.json").unlink()
    with pytest.raises(MissingResource, match=r"no adapter_config\.json"):
        evaluate_run(run, store=scored[0].store, limit=1, on_progress=quiet)


def test_a_crash_of_the_worker_names_its_log(
    scored: tuple[World, object, object], run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (run / "broken").mkdir()
    (run / "broken" / "torch.py").write_text("raise ZeroDivisionError('broken package')")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(run / "broken"), *filter(None, sys.path)]))
    with pytest.raises(RunFailed, match=r"FTB560.*broken package[\s\S]*evaluate\.log"):
        evaluate_run(run, store=scored[0].store, on_progress=quiet)
    (run / "broken" / "torch.py").write_text("raise ModuleNotFoundError(name='torch')")
    with pytest.raises(MissingResource, match=r"FTB562.*torch[\s\S]*ftbench\[run\]"):
        evaluate_run(run, store=scored[0].store, on_progress=quiet)


def test_what_is_no_run_is_refused(run: Path, scored: tuple[World, object, object]) -> None:
    (run / "entry.yaml").write_text("format: ftbench/entry/v1\n")
    with pytest.raises(InvalidInput, match="FTB571"):
        evaluate_run(run, store=scored[0].store, on_progress=quiet)
    (run / "compiled" / "app/ftbench_app/plan.json").write_text("{}")
    with pytest.raises(InvalidInput, match="FTB571"):
        evaluate_run(run, store=scored[0].store, on_progress=quiet)


def test_a_plan_that_cannot_be_read_is_told_in_a_line(tmp_path: Path) -> None:
    (tmp_path / "compiled/app/ftbench_app").mkdir(parents=True)
    (tmp_path / "compiled" / "app/ftbench_app/plan.json").write_text("{")
    with pytest.raises(InvalidInput) as caught:
        evaluate_run(tmp_path, store=Store([tmp_path]), on_progress=lambda phase, done, total: None)
    message = caught.value.diagnostics[0].message
    assert message.startswith("this is no plan") and "\n" not in message and "pydantic" not in message
