"""References in a run: trained after the federation, kept over interruptions, in the result and in what is shown."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from runner_world import ZERO, Watcher, World

from ftbench import builtin
from ftbench.compile.compiler import Compiled, compile_spec
from ftbench.errors import RunFailed
from ftbench.result import ledger
from ftbench.run import runner, summary
from ftbench.run.progress import Progress
from ftbench.run.references import folder_of
from ftbench.spec.entries import resolve_entry
from ftbench.spec.load import load_pins, load_spec
from ftbench.spec.model import Spec

NAMES = ["centralised", "local-0", "local-1", "local-2", "local-3"]


@pytest.fixture(scope="module")
def compiled() -> Compiled:
    path = builtin.specs()["quickstart"]
    tree = load_spec(path).spec.model_dump(mode="json")
    tree["evaluation"]["references"] = {"local": True, "centralised": True}
    return compile_spec(Spec.model_validate(tree), load_pins(path))


@pytest.fixture
def world(tmp_path: Path, compiled: Compiled, monkeypatch: pytest.MonkeyPatch) -> World:
    made = World(tmp_path, compiled, resolve_entry(compiled.plan.typed_spec(), None))
    made.put_in(monkeypatch)
    return made


def names(world: World, start: int) -> list[str]:
    return [Path(str(config["run-dir"])).name for config in world.app.starts[start]]


def at(reference: str, round_: int = 0) -> Callable[[Progress], bool]:
    return lambda progress: progress.reference == reference and progress.reference_round >= round_


def test_they_are_trained_after_the_run_and_recorded(world: World) -> None:
    watcher = Watcher()
    outcome = world.start(listener=watcher)
    assert names(world, 0) == NAMES
    assert [config["reference"] for config in world.app.starts[0]] == ["centralised"] + ["local"] * 4
    assert outcome.result.references == dict.fromkeys(NAMES, ZERO)
    assert outcome.result.scores.local is not None
    assert outcome.result.scores.local.models == 4
    assert outcome.result.cost.references_seconds is not None
    told = dict(summary.rows(outcome))
    assert told["centralised"].startswith("100.0 %")
    assert "4 clients" in told["local only"]
    assert any(line.startswith("training reference centralised (1 of 5), round 1/2") for line in watcher.lines)
    assert any(line.startswith("training reference local-3 (5 of 5), round 2/2") for line in watcher.lines)
    assert world.app.running == 0


def test_the_round_that_is_scored_is_told_where_it_is_not_the_last(world: World) -> None:
    outcome = world.start()
    assert outcome.result.checkpoint_round == outcome.result.cost.rounds == 2
    assert "round" not in dict(summary.rows(outcome))
    earlier = outcome.result.model_copy(update={"checkpoint_round": 1})
    assert dict(summary.rows(replace(outcome, result=earlier)))["round"].startswith("1 of 2")


def test_their_communication_is_not_charged(world: World) -> None:
    cost = world.start().result.cost
    assert (cost.bytes_down, cost.bytes_up, cost.rounds) == (200, 100, 2)


@pytest.mark.parametrize(
    ("reference", "round_", "again"),
    [("centralised", 0, NAMES), ("centralised", 1, NAMES), ("local-0", 0, NAMES[1:]), ("local-3", 2, NAMES[4:])],
)
def test_interrupted_they_go_on_where_they_were(world: World, reference: str, round_: int, again: list[str]) -> None:
    with pytest.raises(KeyboardInterrupt):
        world.start(listener=Watcher(at(reference, round_)))
    assert world.app.running == 0
    assert world.evaluations == []
    (run_dir,) = world.out.iterdir()
    outcome = runner.resume(run_dir)
    assert len(world.engine.jobs) == 1
    assert names(world, -1) == again
    assert outcome.result.references == dict.fromkeys(NAMES, ZERO)
    for name in NAMES:
        events = [line.body.event for line in ledger.read(folder_of(run_dir, name) / "ledger.jsonl")]
        resumed = events.count("resumed")
        assert [event for event in events if event != "resumed"] == ["started", "round", "round", "finished"]
        assert resumed == (name == reference and round_ > 0)


def test_killed_after_them_nothing_is_trained_again(world: World) -> None:
    world.evaluation_fails = True
    with pytest.raises(RunFailed):
        world.start()
    (run_dir,) = world.out.iterdir()
    world.evaluation_fails = False
    assert runner.resume(run_dir).bundle is not None
    assert (len(world.engine.jobs), len(world.app.starts)) == (1, 1)


def test_one_that_fails_says_how_to_go_on(world: World) -> None:
    world.app.fails = True
    with pytest.raises(RunFailed, match="FTB507") as caught:
        world.start()
    (run_dir,) = world.out.iterdir()
    assert f"ftbench run --resume {run_dir}`" in caught.value.diagnostics[0].hint
    assert world.evaluations == []
    world.app.fails = False
    assert set(runner.resume(run_dir).result.references) == set(NAMES)


def test_a_resumed_view_counts_what_was_there(world: World) -> None:
    with pytest.raises(KeyboardInterrupt):
        world.start(listener=Watcher(at("local-1", 1)))
    (run_dir,) = world.out.iterdir()
    watcher = Watcher()
    runner.resume(run_dir, watcher)
    first = next(line for line in watcher.lines if line.startswith("training reference"))
    assert first == "training reference local-1 (3 of 5), round 1/2"
    last = next(line for line in reversed(watcher.lines) if line.startswith("training reference"))
    assert last.startswith("training reference local-3 (5 of 5), round 2/2")
