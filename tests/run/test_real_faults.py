"""Things that really go wrong under Flower: each ends in a recorded exclusion or a clear stop, then a resumed run ends
at the digest of one that nothing happened to."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from ftbench import builtin, codes
from ftbench.errors import FtbenchError, MissingResource, RunFailed
from ftbench.result.documents import Finished, Round, Stopped
from ftbench.run.engines.engine import TrainJob
from ftbench.run.engines.flower import FlowerSimulation
from ftbench.run.engines.inline import InlineEngine
from ftbench.run.processes import tree
from ftbench.run.processes.tail import LedgerTail

pytestmark = [pytest.mark.slow, pytest.mark.e2e]

ROUNDS = 3
TIMEOUT = 120.0
"""Seconds that a round may take: under Flower the first one includes the start of its processes."""


def compile_to(folder: Path, least: int) -> Path:
    """The quickstart with short rounds, of which each needs so many replies of two."""
    from ftbench.compile.compiler import compile_spec
    from ftbench.spec.load import load_pins, load_spec
    from ftbench.spec.model import Spec

    path = builtin.specs()["quickstart"]
    value = load_spec(path).spec.model_dump(mode="json")
    value["federation"] |= {"rounds": ROUNDS, "min_replies": least}
    value["training"]["local_steps"] = 4
    for knob in ("federation.rounds", "federation.sampling.fraction"):
        value["knobs"].pop(knob, None)
    for name, data in compile_spec(Spec.model_validate(value), load_pins(path)).files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def job(compiled: Path, run_dir: Path) -> TrainJob:
    (run_dir / "logs").mkdir(parents=True, exist_ok=True)
    return TrainJob(
        compiled=compiled,
        run_config={
            "store": str(builtin.store()),
            "run-dir": str(run_dir),
            "resume": (run_dir / "ledger.jsonl").exists(),
            "round-timeout": TIMEOUT,
        },
        run_dir=run_dir,
        logs=run_dir / "logs",
        clients=4,
        workers=2,
        round_timeout=TIMEOUT,
        marker=tree.new_token(),
    )


def events(run_dir: Path) -> list[Any]:
    return [line.body for line in LedgerTail(run_dir / "ledger.jsonl").read()]


def ended(run_dir: Path) -> list[Any]:
    """What must come out the same: committed rounds and the last line."""
    return [body for body in events(run_dir) if isinstance(body, Round | Finished)]


@dataclass(frozen=True)
class World:
    strict: Path
    """Compiled with `min_replies` 2: all who are asked."""
    lenient: Path
    """Compiled with `min_replies` 1."""
    whole: list[Any]
    """What a run of `strict` commits that nothing happens to."""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    folder = tmp_path_factory.mktemp("real")
    strict, lenient = compile_to(folder / "strict", 2), compile_to(folder / "lenient", 1)
    InlineEngine().train(job(strict, folder / "whole"), lambda: None)
    return World(strict, lenient, ended(folder / "whole"))


Strike = Callable[[list[psutil.Process]], None]


class Once:
    """Strikes a job's processes once, as soon as its first round is committed."""

    def __init__(self, wanted: TrainJob, strike: Strike) -> None:
        self.job = wanted
        self.strike = strike
        self.done = False

    def __call__(self) -> None:
        if not self.done and any(isinstance(body, Round) for body in events(self.job.run_dir)):
            self.done = True
            self.strike(tree.marked(self.job.marker))


def words(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def those(found: list[psutil.Process], word: str) -> Iterator[psutil.Process]:
    picked = [process for process in found if word in words(process)]
    assert picked, [words(process)[:80] for process in found]
    yield from picked


CLIENT = "ray::ClientAppActor"


def kill_clients(found: list[psutil.Process]) -> None:
    for process in those(found, CLIENT):
        process.kill()


def kill_one_client(found: list[psutil.Process]) -> None:
    next(those(found, CLIENT)).kill()


def hang_clients(found: list[psutil.Process]) -> None:
    for process in those(found, CLIENT):
        process.suspend()


def hang_one_client(found: list[psutil.Process]) -> None:
    next(those(found, CLIENT)).suspend()


def kill_server(found: list[psutil.Process]) -> None:
    for process in those(found, "flwr-simulation"):
        process.kill()


def kill_superlink(found: list[psutil.Process]) -> None:
    for process in those(found, "flower-superlink"):
        process.send_signal(signal.SIGKILL)


def struck(compiled: Path, run_dir: Path, strike: Strike) -> FtbenchError | None:
    """Carry a run out under Flower and strike it; what it raised."""
    wanted = job(compiled, run_dir)
    once = Once(wanted, strike)
    try:
        FlowerSimulation().train(wanted, once)
    except FtbenchError as error:
        return error
    finally:
        assert once.done, f"the run ended before it was struck: {events(run_dir)[-1:]}"
        assert tree.marked(wanted.marker) == []
    return None


STRIKES: dict[str, tuple[Strike, str]] = {
    "client processes killed": (kill_clients, "too-few-replies"),
    "client processes hang": (hang_clients, "too-few-replies"),
    "server killed": (kill_server, ""),
    "superlink killed": (kill_superlink, ""),
}


@pytest.mark.parametrize("name", STRIKES)
def test_a_struck_run_stops_and_goes_on(world: World, tmp_path: Path, name: str) -> None:
    strike, reason = STRIKES[name]
    error = struck(world.strict, tmp_path, strike)
    assert isinstance(error, RunFailed), error
    last = events(tmp_path)[-1]
    if reason:
        assert error.diagnostics[0].code in ("FTB551", codes.TOO_FEW_REPLIES), error  # and not that nothing moved
        assert isinstance(last, Stopped) and last.reason == reason, last
        assert {one.reason for one in last.excluded} <= {"error", "missing"} and last.excluded
        assert not any(one.planned for one in last.excluded)
    else:
        assert isinstance(last, Round)
    InlineEngine().train(job(world.strict, tmp_path), lambda: None)
    assert ended(tmp_path) == world.whole


def test_a_client_that_hangs_is_recorded_and_the_run_ends(world: World, tmp_path: Path) -> None:
    """Where the spec allows one reply. Ray would wait for it for ever; the ledger's last line says that it need not."""
    error = struck(world.lenient, tmp_path, hang_one_client)
    bodies = events(tmp_path)
    assert error is None and isinstance(bodies[-1], Finished), (error, bodies)
    lost = [one for body in bodies if isinstance(body, Round) for one in body.excluded]
    assert lost and {one.reason for one in lost} == {"missing"}, bodies


def test_a_client_that_dies_is_recorded_and_the_run_goes_on(world: World, tmp_path: Path) -> None:
    """Where the spec allows one reply. Ray hands the dead process out again, so that later rounds may lose more."""
    error = struck(world.lenient, tmp_path, kill_one_client)
    bodies = events(tmp_path)
    lost = [one for body in bodies if isinstance(body, Round | Stopped) for one in body.excluded]
    assert lost and {one.reason for one in lost} <= {"error", "missing"}, bodies
    assert isinstance(bodies[-1], Finished) if error is None else isinstance(bodies[-1], Stopped)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A filesystem of its own. Needs the right to mount one."""
    import subprocess

    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("a filesystem cannot be mounted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], capture_output=True, check=False)


def test_a_full_disk_stops_the_run_and_it_goes_on(world: World, small_disk: Path) -> None:
    ballast = small_disk / "ballast"

    def fill(_: list[psutil.Process]) -> None:
        with ballast.open("wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(4096))
            except OSError:
                os.sync()

    run_dir = small_disk / "run"
    wanted = job(world.strict, run_dir)
    once = Once(wanted, fill)
    with pytest.raises(MissingResource, match=r"disk|cannot be written") as caught:
        InlineEngine().train(wanted, once)
    assert caught.value.diagnostics[0].code in ("FTB504", "FTB558")
    ballast.unlink()
    InlineEngine().train(job(world.strict, run_dir), lambda: None)
    assert ended(run_dir) == world.whole
