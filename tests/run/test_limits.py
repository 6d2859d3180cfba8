"""The operator's limits: what is looked at, how a run is ended, and how it goes on."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from runner_world import World

from ftbench import builtin
from ftbench.compile.compiler import compile_spec
from ftbench.diagnostics import Diagnostic
from ftbench.errors import RunFailed, RunIncomplete
from ftbench.run import runner
from ftbench.run.processes import limits as limits_module
from ftbench.run.processes.limits import GIB, GRACE, Guard, resident
from ftbench.run.rundir import Limits, RunDir
from ftbench.spec.entries import resolve_entry
from ftbench.spec.load import load_pins, load_spec


class Clock:
    """Time that passes when it is told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    path = builtin.specs()["quickstart"]
    compiled = compile_spec(load_spec(path).spec, load_pins(path))
    made = World(tmp_path, compiled, resolve_entry(compiled.plan.typed_spec(), None))
    made.put_in(monkeypatch)
    return made


@pytest.fixture
def run(world: World) -> RunDir:
    return RunDir(world.start().run_dir)


def guard(run: RunDir, clock: Clock, *, spent: float = 0.0, memory: int = 0, **limits: float) -> Guard:
    return Guard(run, Limits(**limits), spent, memory=lambda _: memory, clock=clock)


def test_without_limits_nothing_is_looked_at(run: RunDir) -> None:
    def look(_: str) -> int:
        raise AssertionError

    watch = Guard(run, Limits(), 1e9, memory=look, clock=Clock())
    watch.begin()
    watch.check(orderly=True)
    assert watch.reached is None


def test_the_app_is_asked_first_and_has_time_to_end_its_round(run: RunDir) -> None:
    clock = Clock()
    watch = guard(run, clock, max_seconds=100, spent=90)
    watch.begin()
    clock.now = 9
    watch.check(orderly=True)
    assert not (run.path / "stop.json").exists()
    clock.now = 11
    watch.check(orderly=True)
    asked = json.loads((run.path / "stop.json").read_bytes())["detail"]
    assert "101 s of wall time in all starts, the operator's limit is 100" in asked
    clock.now = 11 + GRACE["seconds"]
    watch.check(orderly=True)
    clock.now += 1
    with pytest.raises(RunIncomplete, match="FTB510 stopped: 101 s") as told:
        watch.check(orderly=True)
    assert f"ftbench run --resume {run.path} --max-seconds N" in told.value.diagnostics[0].hint


def test_past_training_it_stops_at_once(run: RunDir) -> None:
    clock = Clock()
    watch = guard(run, clock, max_memory_gib=1, memory=GIB + GIB // 2)
    with pytest.raises(RunIncomplete, match=r"1\.50 GiB resident"):
        watch.check(orderly=False)
    assert not (run.path / "stop.json").exists()


def test_memory_that_grows_waits_least(run: RunDir) -> None:
    clock = Clock()
    watch = guard(run, clock, max_memory_gib=1, memory=2 * GIB)
    watch.check(orderly=True)
    clock.now = GRACE["memory"] + 0.1
    with pytest.raises(RunIncomplete):
        watch.check(orderly=True)
    assert GRACE["memory"] < GRACE["seconds"]


def test_the_accelerator_is_measured_by_rounds_of_this_start(run: RunDir) -> None:
    def measured(number: int, size: int) -> None:
        with run.measurements.open("a") as file:
            file.write(json.dumps({"round": number, "peak_device_bytes": size}) + "\n")

    measured(1, 9 * GIB)  # an earlier start's
    clock = Clock()
    watch = guard(run, clock, max_device_memory_gib=2)
    watch.begin()
    measured(2, GIB)
    clock.now += 3
    watch.check(orderly=True)
    assert watch.reached is None
    measured(3, 3 * GIB)
    clock.now += 3
    watch.check(orderly=True)
    assert watch.reached is not None and "3.00 GiB on the accelerator" in watch.reached.detail


def test_another_failure_keeps_its_own_words(run: RunDir) -> None:
    watch = guard(run, Clock(), max_memory_gib=1, memory=2 * GIB)
    watch.check(orderly=True)
    other = RunFailed(Diagnostic("FTB551", "too few"))
    assert watch.ended(other) is other
    ours = watch.ended(RunIncomplete(Diagnostic("FTB557", "as asked")))
    assert isinstance(ours, RunIncomplete) and ours.diagnostics[0].code == "FTB510"


@given(st.floats(0, 1e6), st.floats(1e-3, 1e6), st.floats(0, 1e6))
def test_time_counts_over_all_starts(spent: float, limit: float, passed: float) -> None:
    class Folder:
        path = Path("nowhere")
        measurements = Path("nowhere/measurements.jsonl")

        def marker(self) -> str:
            return ""

    clock = Clock()
    watch = Guard(Folder(), Limits(max_seconds=limit), spent, clock=clock)  # type: ignore[arg-type]
    clock.now = passed
    found = watch._look(clock.now)
    assert (found is not None) == (spent + passed >= limit)


def test_a_run_ends_as_incomplete_and_goes_on_with_a_higher_limit(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The engine stands for the app: it stops before the round for which the request is there."""
    clock = Clock()
    monkeypatch.setattr(limits_module.time, "monotonic", clock)
    monkeypatch.setattr(Guard.__init__, "__kwdefaults__", {"memory": None, "clock": clock})
    train = world.engine.train

    def slow(job: Any, on_tick: Callable[[], None]) -> None:
        def before(event: str) -> None:
            clock.now += 40
            if event == "round" and (job.run_dir / "stop.json").exists():
                raise RunIncomplete(Diagnostic("FTB557", "as asked"))

        world.engine.before = before
        train(job, on_tick)

    world.engine.train = slow  # type: ignore[method-assign]
    with pytest.raises(RunIncomplete, match="FTB510 stopped") as told:
        world.start(limits=Limits(max_seconds=60))
    (folder,) = world.out.iterdir()
    assert world.evaluations == []
    with pytest.raises(RunIncomplete, match="the operator's limit is 60"):
        runner.resume(folder)  # the limit still holds
    assert len(world.engine.jobs) == 1
    outcome = runner.resume(folder, limits=Limits(max_seconds=1000))
    assert outcome.bundle is not None
    assert RunDir(folder).settings().limits == Limits(max_seconds=1000)
    assert not (folder / "stop.json").exists()
    assert "--max-seconds N" in told.value.diagnostics[0].hint


def test_limits_given_again_replace_only_themselves() -> None:
    old = Limits(max_seconds=10, max_memory_gib=2)
    assert old.raised(Limits(max_seconds=20)) == Limits(max_seconds=20, max_memory_gib=2)


def test_resident_memory_counts_this_process() -> None:
    assert resident("no-such-marker") > 2**24
