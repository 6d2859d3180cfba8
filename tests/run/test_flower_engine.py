"""The Flower engine for real, with a tiny app: good ends, bad ends, and what is left behind (nothing)."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import psutil
import pytest
from flower_world import make_job

from ftbench.errors import InvalidInput, MissingResource, RunFailed
from ftbench.run.engines import flower
from ftbench.run.engines.engine import TrainJob
from ftbench.run.engines.flower import FlowerSimulation
from ftbench.run.processes import tree

pytestmark = [pytest.mark.slow, pytest.mark.e2e]


def assert_nothing_left(marker: str) -> None:
    assert tree.marked(marker) == []
    assert list(Path(tempfile.gettempdir()).glob(f"ftb-{marker[:8]}-*")) == []
    ports = [c for c in psutil.Process().net_connections("tcp") if c.status == psutil.CONN_LISTEN]
    assert ports == []


def train(job: TrainJob) -> int:
    ticks = []
    try:
        FlowerSimulation().train(job, lambda: ticks.append(1))
    finally:
        assert_nothing_left(job.marker)
    return len(ticks)


def test_a_good_end(tmp_path: Path) -> None:
    job = make_job(tmp_path)
    assert train(job) > 5
    assert json.loads((job.run_dir / "told.json").read_text()) == [0, 1, 2]
    logs = {path.name for path in job.logs.iterdir()}
    assert {"superlink.log", "flower.log"} <= logs
    assert "Starting Flower Simulation" in (job.logs / "flower.log").read_text()
    assert set(json.loads((job.run_dir / "devices.json").read_text())) == {"all"}


def test_each_client_sees_the_device_that_it_was_dealt(tmp_path: Path) -> None:
    """Ray believes in as many devices as it is told of: no accelerator is needed for this."""
    job = make_job(tmp_path, workers=2, gpus=2)
    train(job)
    assert set(json.loads((job.run_dir / "devices.json").read_text())) == {"0", "1"}


@pytest.mark.parametrize(
    ("mode", "error", "match"),
    [
        ("raise", RunFailed, r"FTB525 Flower's status is finished:failed.*\n?.*boom in the server"),
        ("refuse", MissingResource, "FTB546 no data"),
        ("silent", RunFailed, "FTB507"),
        ("die", RunFailed, "FTB525"),
    ],
)
def test_a_bad_end_is_told(tmp_path: Path, mode: str, error: type[Exception], match: str) -> None:
    with pytest.raises(error, match=match):
        train(make_job(tmp_path, mode))


def test_a_hanging_client_meets_the_watchdog(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flower, "MARGIN", 0.0)
    with pytest.raises(RunFailed, match="FTB524"):
        train(make_job(tmp_path, "hang", round_timeout=20.0))


def test_another_app_than_the_locks_is_stopped(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="FTB523"):
        train(make_job(tmp_path, fab_hash="ab" * 32))


def test_an_app_that_flower_refuses(tmp_path: Path) -> None:
    job = make_job(tmp_path)
    job.run_config["no-such-key"] = 1
    with pytest.raises(RunFailed, match="FTB522"):
        train(job)


def test_an_error_of_the_listener_stops_everything(tmp_path: Path) -> None:
    job = make_job(tmp_path)

    def tick() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        FlowerSimulation().train(job, tick)
    assert_nothing_left(job.marker)


@pytest.mark.usefixtures("heard")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_signals_leave_nothing(tmp_path: Path, number: signal.Signals) -> None:
    words = [sys.executable, str(Path(__file__).with_name("flower_world.py")), str(tmp_path)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            assert process.stdout is not None
            marker = process.stdout.readline().strip()
            alive = tree.marked(marker)
            assert any("raylet" in one.name() for one in alive)
            process.send_signal(number)
            process.wait(timeout=120)
        finally:
            process.kill()
    if number == signal.SIGKILL:  # then the guardian does it alone, a moment later
        psutil.wait_procs(alive, timeout=60)
    assert_nothing_left(marker)
