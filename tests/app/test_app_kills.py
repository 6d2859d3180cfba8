"""Thirty kills at random moments of one run: it ends at the digest of a run that nobody killed."""

from __future__ import annotations

import os
import random
import resource
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from effort import times

from ftbench import builtin
from ftbench.app import ledger, worker
from ftbench.app.errors import AppError
from ftbench.errors import RunFailed
from ftbench.result.documents import Finished, LedgerLine, Resumed, Round
from ftbench.run.engines.engine import TrainJob
from ftbench.run.engines.inline import InlineEngine
from ftbench.run.processes import tree
from ftbench.run.processes.tail import LedgerTail

MakeBench = Callable[..., Any]
KILLS = 30
ROUNDS = 50
"""Of the real engine's run: more than it is killed in."""
LONG = {
    "federation.rounds": 16,
    "federation.sampling.fraction": 1.0,
    "strategy.kind": "fedavgm",
    "strategy.momentum": 0.9,
    "strategy.server_learning_rate": 0.5,
    "faults": {
        "dropout": {"probability": 0.2},
        "stragglers": None,
        "corrupt": None,
        "byzantine": {"clients": 1, "attack": "noise", "strength": 0.5},
    },
}
"""With a server's state, clients that drop out and one that attacks: all of it must come out the same."""


@pytest.fixture
def warm(make_bench: MakeBench) -> None:
    """Import all that a run imports, once, before processes are forked."""
    make_bench({"federation.rounds": 1, "federation.sampling.fraction": 0.34}, name="warm").play()


def in_a_child(act: Callable[[], None], seconds: float = 0.0) -> tuple[int, float]:
    """Do it in a forked process that the kernel ends after so many seconds of its own CPU time (0: never).

    SIGPROF is not caught: the process ends on the spot, between any two instructions. Returns the signal that ended it
    (0: none) and the CPU time that it took.
    """
    child = os.fork()
    if child == 0:
        try:
            worker._workers.clear()  # a new process begins without a model
            signal.signal(signal.SIGPROF, signal.SIG_DFL)
            signal.setitimer(signal.ITIMER_PROF, seconds)
            act()
        except BaseException as error:
            os.write(2, f"{type(error).__name__}: {error}\n".encode())
            os._exit(1)
        os._exit(0)
    _, status, used = os.wait4(child, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
    return (os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0), used.ru_utime + used.ru_stime


def committed(bench: Any) -> list[dict[str, Any]]:
    return [body for body in bench.ledger if body["event"] in ("round", "finished")]


def lines(bench: Any) -> int:
    path = bench.run_dir / "ledger.jsonl"
    return path.read_bytes().count(b"\n") if path.exists() else 0


def continued(bench: Any) -> None:
    bench.play(resume=lines(bench) > 0)


def up_to(bench: Any, latest: int) -> None:
    """Go on, and be killed once round `latest` is committed; 0: never."""
    append = ledger.Ledger.append

    def fatal(self: ledger.Ledger, body: ledger.Body) -> None:
        append(self, body)
        if latest and body["event"] == "round" and body["round"] >= latest:
            os.kill(os.getpid(), signal.SIGKILL)

    ledger.Ledger.append = fatal  # type: ignore[method-assign]  (in a process of its own)
    continued(bench)


@pytest.mark.usefixtures("warm")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are forked")
def test_thirty_kills_at_random_moments(make_bench: MakeBench) -> None:
    whole = make_bench(LONG, name="whole")
    _, used = in_a_child(whole.play)
    bench = make_bench(LONG)
    draw = random.Random(20261120)
    each = used / LONG["federation.rounds"]
    killed, idle = 0, 0
    while True:
        done = len(committed(bench)) if lines(bench) else 0
        # A start alone takes a round's time and more. Who is behind gets longer from kill to kill, who is ahead is
        # killed at a commit at the latest: so the kills are spread over the run, and none is left when it ends.
        fair = int(killed * LONG["federation.rounds"] / (KILLS + 1))
        limit = draw.uniform(0, each) * (2 + min(idle, 8) if done <= fair else 1)
        latest = max(fair, done) + 1 if killed < KILLS else 0
        ended, _ = in_a_child(lambda: up_to(bench, latest), limit if latest else 0.0)  # noqa: B023
        if not ended:
            break
        killed += 1
        idle = 0 if len(committed(bench) if lines(bench) else []) > done else idle + 1
    assert killed >= KILLS
    after = {body["after_round"] for body in bench.ledger if body["event"] == "resumed"}
    assert len(after) >= 4, "it was killed in the same few rounds each time"
    assert committed(bench) == committed(whole)
    for name in ("adapter_model.safetensors", "adapter_config.json"):
        assert (bench.run_dir / "adapter" / name).read_bytes() == (whole.run_dir / "adapter" / name).read_bytes()
    for line in (bench.run_dir / "ledger.jsonl").read_text().splitlines():
        LedgerLine.model_validate_json(line)


# --- a full disk ---


@pytest.mark.usefixtures("warm")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are forked")
@pytest.mark.parametrize("room", [0.0, 0.5, 3.0])
def test_a_file_that_may_not_grow_stops_the_run_and_it_can_go_on(make_bench: MakeBench, room: float) -> None:
    """The kernel's limit on a file's size: a write that meets it is cut short, as on a full disk."""
    changes = {"federation.rounds": 3, "strategy.kind": "fedavg"}
    whole = make_bench(changes, name="whole")
    in_a_child(whole.play)
    sizes = sorted(path.stat().st_size for path in whole.run_dir.rglob("*") if path.is_file())
    bench = make_bench(changes)
    limit = int(room * sizes[0]) if room else sizes[-1] - 1

    def cramped() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
        try:
            bench.play()
        except AppError as error:
            if error.code == "FTB558" and "free some space" in error.hint:
                return
        raise AssertionError

    in_a_child(cramped)
    assert not any(body["event"] == "finished" for body in bench.ledger) if lines(bench) else True
    in_a_child(lambda: continued(bench))
    assert committed(bench) == committed(whole)


# --- the real thing ---


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The quickstart with many short rounds."""
    from ftbench.compile.compiler import compile_spec
    from ftbench.spec.load import load_pins, load_spec
    from ftbench.spec.model import Spec

    path = builtin.specs()["quickstart"]
    value = load_spec(path).spec.model_dump(mode="json")
    value["federation"]["rounds"] = ROUNDS
    value["knobs"].pop("federation.rounds")
    value["budget"]["communication_mib"] = 64
    value["training"]["local_steps"] = 4
    folder = tmp_path_factory.mktemp("compiled")
    for name, data in compile_spec(Spec.model_validate(value), load_pins(path)).files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def job(compiled: Path, run_dir: Path) -> TrainJob:
    (run_dir / "logs").mkdir(parents=True, exist_ok=True)
    begun = (run_dir / "ledger.jsonl").exists()
    settings = {"store": str(builtin.store()), "run-dir": str(run_dir), "resume": begun}
    return TrainJob(compiled, settings, run_dir, run_dir / "logs", clients=4, marker=tree.new_token())


class Killer:
    """Kills the processes of a job so many ticks after this start has written so many lines of its ledger."""

    def __init__(self, job: TrainJob, lines: int, ticks: int) -> None:
        self.job = job
        self.left = ticks
        self.ledger = job.run_dir / "ledger.jsonl"
        self.due = self._now() + lines

    def __call__(self) -> None:
        if self._now() < self.due:
            return
        if self.left == 0:
            for process in tree.marked(self.job.marker):
                process.kill()
        self.left -= 1

    def _now(self) -> int:
        return self.ledger.read_bytes().count(b"\n") if self.ledger.exists() else 0


@pytest.mark.slow
@pytest.mark.e2e
def test_kills_of_the_real_engine(compiled: Path, tmp_path: Path) -> None:
    """SIGKILL to the process that trains: soon after its start, or after a round or two of it. A fast machine ends a
    run before so many kills; then another one is begun, and each must be what the run without a kill was."""
    InlineEngine().train(job(compiled, tmp_path / "whole"), lambda: None)
    whole = records(tmp_path / "whole")
    draw = random.Random(20261120)
    kills = times(10, KILLS)
    killed, runs, resumed = 0, 0, 0
    while killed < kills:
        run_dir = tmp_path / f"cut-{runs}"
        runs += 1
        assert runs <= kills, f"{killed} kills only"
        while True:
            wanted = job(compiled, run_dir)
            killer = Killer(wanted, draw.randrange(1, 4), draw.randrange(4))
            try:
                InlineEngine().train(wanted, killer if killed < kills else lambda: None)
                break
            except RunFailed as error:
                assert "killed by signal 9" in str(error), error
                killed += 1
        cut = records(run_dir)
        resumed += len({body.after_round for body in cut if isinstance(body, Resumed)})
        assert [body for body in cut if isinstance(body, Round | Finished)] == [
            body for body in whole if isinstance(body, Round | Finished)
        ]
    print(f"{killed} kills in {runs} runs, {resumed} rounds after which one was resumed", file=sys.stderr)
    assert resumed > kills / 3
    assert len(whole) == ROUNDS + 2


def records(run_dir: Path) -> list[Any]:
    """What the lines of a run's ledger say."""
    return [line.body for line in LedgerTail(run_dir / "ledger.jsonl").read()]
