"""The trial beside the engine's start: nothing counts before it has passed, and what it refuses leaves no new run."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, cast

import pytest
from runner_world import Watcher, World

from ftbench import builtin, codes
from ftbench.compile.compiler import Compiled, compile_spec
from ftbench.diagnostics import Diagnostic
from ftbench.errors import InvalidInput, RunFailed
from ftbench.run import preflight, runner
from ftbench.run.beside import Beside
from ftbench.run.evaluation.trial import Asked, Counted, Report
from ftbench.run.processes import tree
from ftbench.run.processes.guarded import clear_leftovers
from ftbench.run.rundir import RunDir
from ftbench.spec.entries import resolve_entry
from ftbench.spec.entry import ResolvedEntry
from ftbench.spec.load import load_pins, load_spec

REFUSED = InvalidInput(Diagnostic(codes.TOO_LONG, "an item is too long"))


@pytest.fixture(scope="module")
def compiled() -> Compiled:
    path = builtin.specs()["quickstart"]
    return compile_spec(load_spec(path).spec, load_pins(path))


@pytest.fixture(scope="module")
def entry(compiled: Compiled) -> ResolvedEntry:
    return resolve_entry(compiled.plan.typed_spec(), None)


class FakeAsked:
    """A trial that ends when it has been looked at so often, or is waited for."""

    def __init__(self, looks: int, refuses: bool) -> None:
        self.looks = looks
        self.refuses = refuses
        self.closed = self.waited = False

    def ended(self) -> bool:
        self.looks -= 1
        return self.looks < 0

    def report(self) -> Report:
        self.waited = True
        if self.refuses:
            raise REFUSED
        return Report(clients=[Counted(held=4, looked=4, used=3)], left_out={"too long": 1})

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def world(tmp_path: Path, compiled: Compiled, entry: ResolvedEntry, monkeypatch: pytest.MonkeyPatch) -> World:
    made = World(tmp_path, compiled, entry)
    made.put_in(monkeypatch)
    return made


@pytest.fixture
def trials(world: World, monkeypatch: pytest.MonkeyPatch) -> list[FakeAsked]:
    """Those to come, first the next."""
    due: list[FakeAsked] = []

    def ask(run: RunDir, *args: Any, say: Any, **options: Any) -> Beside:
        return Beside(cast(Asked, due.pop(0)), run, say)

    monkeypatch.setattr(preflight, "look_ahead", ask)
    return due


@pytest.mark.parametrize("looks", [0, 2, 1_000])
def test_what_it_refuses_leaves_nothing_however_far_training_came(
    world: World, trials: list[FakeAsked], looks: int
) -> None:
    trials.append(one := FakeAsked(looks, refuses=True))
    with pytest.raises(InvalidInput, match="an item is too long"):
        world.start()
    assert list(world.out.iterdir()) == [] and one.closed
    assert world.evaluations == []


def test_it_is_waited_for_before_anything_is_scored(world: World, trials: list[FakeAsked]) -> None:
    trials.append(one := FakeAsked(1_000, refuses=False))
    watcher = Watcher()
    outcome = world.start(listener=watcher)
    assert one.waited and RunDir.open(outcome.run_dir).tried.is_file()
    assert any("1 of 4 rows teach nothing" in text for text in watcher.notes)


def test_its_words_come_before_the_engines(world: World, trials: list[FakeAsked]) -> None:
    def fail(event: str) -> None:
        raise RunFailed(Diagnostic(codes.NOT_FINISHED, "the process that trained ended with status 1"))

    world.engine.before = fail
    trials.append(FakeAsked(1_000, refuses=True))
    with pytest.raises(InvalidInput, match="an item is too long"):
        world.start()
    trials.append(FakeAsked(1_000, refuses=False))
    with pytest.raises(RunFailed, match="ended with status 1"):
        world.start()
    assert len(list(world.out.iterdir())) == 1


def test_interrupted_before_it_has_passed_it_is_made_again(world: World, trials: list[FakeAsked]) -> None:
    def stop(event: str) -> None:
        if event == "round":
            signal.raise_signal(signal.SIGTERM)

    world.engine.before = stop
    trials.append(one := FakeAsked(1_000, refuses=False))
    with pytest.raises(KeyboardInterrupt):
        world.start()
    (folder,) = world.out.iterdir()
    run = RunDir.open(folder)
    assert one.closed and run.ledger.exists() and not run.tried.exists()

    world.engine.before = lambda event: None
    trials.append(FakeAsked(0, refuses=True))
    with pytest.raises(InvalidInput, match="an item is too long"):
        runner.resume(folder)
    assert folder.is_dir() and world.evaluations == []
    trials.append(FakeAsked(0, refuses=False))
    runner.resume(folder)
    assert not trials and run.tried.exists()


def test_the_engines_end_is_not_the_trials() -> None:
    """An engine ends everything that carries the run's marker, also between two tries to start; whoever clears up after
    a start that was killed ends both."""
    marker = tree.new_token()
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=-1, env={tree.MARKER: tree.beside(marker)})
    try:
        assert [one.pid for one in tree.marked(tree.beside(marker))] == [process.pid]
        assert tree.end(marker) == [] and process.poll() is None
        assert clear_leftovers(marker) == [] and tree.marked(tree.beside(marker)) == []
    finally:
        process.kill()
