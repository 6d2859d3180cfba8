"""The deployment engine with a stand-in for `flwr`: how it follows a run, how it ends one, what it says."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ftbench.diagnostics import Diagnostic
from ftbench.errors import InvalidInput, MissingResource, RunFailed
from ftbench.run.engines import flower_connection, flower_deployment
from ftbench.run.engines.engine import TrainJob
from ftbench.run.engines.flower_commands import Status, UnknownRun
from ftbench.run.engines.flower_deployment import NOTE, FlowerDeployment

FAB = "ab" * 32
FINISHED = {"event": "finished", "rounds": 0, "round": 0, "adapter": "0" * 64, "bytes_down": 0, "bytes_up": 0}


def refusal(said: str, error: type[RunFailed] = RunFailed) -> RunFailed:
    return error(Diagnostic("FTB522", "no", hint=said))


class FakeFlower:
    """A SuperLink with one run; `plan` yields what it says next, and does what the app would do before it says so."""

    def __init__(self, world: World, job: TrainJob, connection: str, tick: Callable[[], None]) -> None:
        self.world, self.job, self.connection, self.tick = world, job, connection, tick

    def submit(self) -> tuple[str, str]:
        self.world.did.append("run")
        return "7", FAB[:8]

    def status(self, run_id: str) -> Status:
        self.tick()
        if run_id in self.world.stopped:
            return Status("finished:stopped", "N/A", FAB)
        if run_id == "1":
            raise refusal("[code: 16]", UnknownRun)
        found = next(self.world.plan)
        if isinstance(found, RunFailed):
            raise found
        return found

    def stop(self, run_id: str) -> None:
        self.world.did.append(f"stop {run_id}")
        if self.world.cannot_stop:
            raise refusal("no way")
        if run_id == "1":
            raise refusal("[code: 16]", UnknownRun)
        self.world.stopped.add(run_id)

    def keep_log(self, run_id: str) -> None:
        self.world.did.append("log")

    def wait(self, _process: None, _seconds: float) -> int:
        return 0


class World:
    """A job, a clock, and what Flower was asked."""

    def __init__(self, folder: Path) -> None:
        self.run_dir = folder / "run"
        (self.run_dir / "logs").mkdir(parents=True)
        self.job = TrainJob(
            folder, {}, self.run_dir, self.run_dir / "logs", clients=2, fab_hash=FAB, superlink="lab", marker="m"
        )
        self.did: list[str] = []
        self.stopped: set[str] = set()
        self.cannot_stop = False
        self.plan: Iterator[Status | RunFailed] = iter(())
        self.time = 0.0

    def train(self, on_tick: Callable[[], None] = lambda: None) -> None:
        FlowerDeployment().train(self.job, on_tick)

    def began(self) -> None:
        """The app's first act."""
        (self.run_dir / "error.json").unlink()

    def wrote(self, body: dict[str, Any]) -> None:
        line = {"seq": 0, "prev": "0" * 64, "body": body}
        with (self.run_dir / "ledger.jsonl").open("a") as file:
            file.write(json.dumps(line) + "\n")

    def elapse(self, seconds: float) -> None:
        self.time += seconds


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    made = World(tmp_path)
    monkeypatch.setattr(
        flower_deployment, "Flower", lambda job, name, env, folder, tick: FakeFlower(made, job, name, tick)
    )
    monkeypatch.setattr(flower_deployment.time, "monotonic", lambda: made.time)
    monkeypatch.setattr(flower_deployment.time, "sleep", made.elapse)
    monkeypatch.setattr(flower_connection, "check_connection", lambda name: None)
    return made


RUNNING = Status("running", "N/A", FAB)
COMPLETED = Status("finished:completed", "N/A", FAB)


def good(world: World) -> Iterator[Status | RunFailed]:
    yield Status("pending", "N/A", FAB)
    world.began()
    yield RUNNING
    world.wrote(FINISHED)
    yield RUNNING
    assert json.loads((world.run_dir / NOTE).read_text()) == {"superlink": "lab", "run-id": "7"}
    yield COMPLETED


def test_a_good_end(world: World) -> None:
    world.plan = good(world)
    ticks: list[float] = []
    world.train(lambda: ticks.append(world.time))
    assert world.did == ["run", "log"]
    assert not (world.run_dir / NOTE).exists()
    assert not (world.run_dir / "error.json").exists()
    # Flower is asked every 10 s, and every second once the ledger is whole.
    assert 30 <= ticks[-1] < 34


def test_silence_is_forgiven_for_a_minute(world: World) -> None:
    def plan() -> Iterator[Status | RunFailed]:
        world.began()
        for _ in range(flower_deployment.SILENCES - 1):
            yield refusal("timed out")
        yield from good_end()

    def good_end() -> Iterator[Status | RunFailed]:
        world.wrote(FINISHED)
        yield COMPLETED

    world.plan = plan()
    world.train()


@pytest.mark.parametrize(
    "silence", [[refusal("connection refused")] * flower_deployment.SILENCES, [refusal("[code: 16]", UnknownRun)]]
)
def test_a_superlink_that_is_gone(world: World, silence: list[RunFailed]) -> None:
    world.plan = iter(silence)
    world.stopped.add("nothing")
    with pytest.raises(RunFailed, match=r"FTB526 the SuperLink of the connection `lab` does not answer"):
        world.train()


def test_an_app_that_never_sees_the_run_folder_is_stopped(world: World) -> None:
    world.plan = iter([RUNNING] * 100)
    with pytest.raises(RunFailed, match=r"FTB529 the ServerApp never touched.*\n.*same path"):
        world.train()
    assert world.did == ["run", "stop 7", "log"]
    assert 180 < world.time < 220
    assert not (world.run_dir / "error.json").exists()


def test_an_app_that_fails_before_its_first_act(world: World) -> None:
    world.plan = iter([Status("finished:failed", "No module named torch", FAB)])
    with pytest.raises(RunFailed, match=r"FTB529.*finished:failed: No module named torch"):
        world.train()


def test_what_the_app_says_is_told(world: World) -> None:
    def plan() -> Iterator[Status | RunFailed]:
        (world.run_dir / "error.json").write_text('{"code": "FTB546", "message": "no rows", "hint": "get them"}')
        yield Status("finished:failed", "boom", FAB)

    world.plan = plan()
    with pytest.raises(MissingResource, match="FTB546 no rows"):
        world.train()


@pytest.mark.parametrize(
    ("status", "code"),
    [(Status("finished:failed", "boom", FAB), "FTB525 .*boom"), (Status("finished:completed", "", FAB), "FTB507")],
)
def test_an_end_without_a_ledger(world: World, status: Status, code: str) -> None:
    def plan() -> Iterator[Status | RunFailed]:
        world.began()
        yield status

    world.plan = plan()
    with pytest.raises(RunFailed, match=code):
        world.train()


def test_another_app_than_the_locks_is_stopped(world: World) -> None:
    object.__setattr__(world.job, "fab_hash", "cd" * 32)
    with pytest.raises(InvalidInput, match="FTB523"):
        world.train()
    assert world.did == ["run", "stop 7", "log"]


def test_ctrl_c_stops_the_run_where_it_is(world: World) -> None:
    world.plan = good(world)

    def tick() -> None:
        if world.time > 15:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        world.train(tick)
    assert world.did == ["run", "stop 7", "log"]
    assert not (world.run_dir / NOTE).exists()


def test_a_run_that_cannot_be_stopped_is_named(world: World) -> None:
    world.plan = good(world)
    world.cannot_stop = True

    def tick() -> None:
        raise ZeroDivisionError

    with pytest.raises(RunFailed, match=r"FTB530 run 7 .*\n.*flwr stop 7 lab"):
        world.train(tick)
    assert (world.run_dir / NOTE).exists()  # so that the next start tries again


@pytest.mark.parametrize("earlier", ["5", "1"])  # 1: the SuperLink does not know it any more
def test_what_a_killed_start_left_is_stopped_first(world: World, earlier: str) -> None:
    (world.run_dir / NOTE).write_text(json.dumps({"superlink": "lab", "run-id": earlier}))
    world.plan = good(world)
    world.train()
    assert world.did == [f"stop {earlier}", "run", "log"]


CONFIG = """
[superlink]
default = "lab"
[superlink.lab]
address = "127.0.0.1:9092"
[superlink.local]
address = ":local:"
[superlink.old]
options.num-supernodes = 2
"""


@pytest.mark.parametrize(
    ("name", "text", "match"),
    [
        ("lap", CONFIG, r"no connection `lap`\n.*did you mean `lab`"),
        ("default", CONFIG, "no connection `default`"),
        ("local", CONFIG, "names no SuperLink: it is for simulations"),
        ("old", CONFIG, "names no SuperLink: it is for simulations"),
        ("lab", "[superlink", "cannot be read"),
        ("lab", None, "cannot be read: No such file"),
    ],
)
def test_a_connection_that_cannot_serve(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, text: str | None, match: str
) -> None:
    monkeypatch.setenv("FLWR_HOME", str(tmp_path))
    if text is not None:
        (tmp_path / "config.toml").write_text(text)
    with pytest.raises(InvalidInput, match=f"FTB528 .*{match}"):
        flower_connection.check_connection(name)
    if text == CONFIG:
        flower_connection.check_connection("lab")


def test_the_users_flower_settings_reach_flwr(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLWR_HOME", "/h")
    monkeypatch.setenv("https_proxy", "p")
    monkeypatch.setenv("RAY_ADDRESS", "x:1")
    monkeypatch.delenv("NO_PROXY", raising=False)
    env = flower_connection.environment("mark")
    assert (env["FLWR_HOME"], env["https_proxy"]) == ("/h", "p")
    assert not {"NO_PROXY", "RAY_ADDRESS"} & set(env)
