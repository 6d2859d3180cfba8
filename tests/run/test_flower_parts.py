"""The parts of the Flower engine that need no SuperLink: run config, environment, guardian, leftovers."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from ftbench.errors import InvalidInput, RunFailed
from ftbench.run.engines.engine import TrainJob
from ftbench.run.engines.flower_commands import Flower, same_fab, toml
from ftbench.run.processes import guarded, tree
from ftbench.run.processes.guarded import Guarded, clear_leftovers, temporary_folder

# A daemon that leaves its session and parent, beside a plain child: what a kill of one process would miss.
FAMILY = """
import os, subprocess, sys, time
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1000)"])
subprocess.Popen([sys.executable, "-c",
    "import os, subprocess, sys; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(1000)'],"
    " start_new_session=True)"]).wait()
with open(sys.argv[1], "w") as ready:
    ready.write("ready")
time.sleep(1000)
"""


@pytest.fixture
def marker() -> Iterator[str]:
    made = tree.new_token() + "-test"
    yield made
    assert tree.end(made) == []


def job(tmp_path: Path, fab_hash: str = "") -> TrainJob:
    return TrainJob(tmp_path, {}, tmp_path, tmp_path, clients=2, fab_hash=fab_hash)


def test_run_config_survives_toml() -> None:
    config: dict[str, str | int | float | bool] = {
        "store": '/a b/ü"\\\n\x7f😀:/c',
        "seed": 1,
        "round-timeout": 3600.0,
        "resume": False,
        "training.schedule.learning_rate": 1e-05,
        "adapter.targets": '["q_proj","v_proj"]',
    }
    read = tomllib.loads(toml(config))
    assert read["store"] == config["store"]
    assert read["training"]["schedule"]["learning_rate"] == 1e-05
    assert isinstance(read["round-timeout"], float)
    assert read["resume"] is False
    assert read["adapter"]["targets"] == config["adapter.targets"]


def test_foreign_settings_do_not_reach_a_private_superlink() -> None:
    base = {
        "PATH": "/bin",
        "RAY_ADDRESS": "x:1",
        "FLWR_HOME": "/h",
        "https_proxy": "p",
        "HTTP_PROXY": "p",
        "CUDA_X": "1",
    }
    env = tree.environment("mark", base)
    assert env[tree.MARKER] == "mark"
    assert (env["PATH"], env["CUDA_X"]) == ("/bin", "1")
    assert not {"RAY_ADDRESS", "FLWR_HOME", "https_proxy", "HTTP_PROXY"} & set(env)
    assert env["OMP_NUM_THREADS"] == env["HF_HUB_OFFLINE"] == "1"


def test_the_fab_hash_is_held_to_the_lock(tmp_path: Path) -> None:
    lock = "ab" * 32
    same_fab("abababab", job(tmp_path, lock))
    same_fab(lock, job(tmp_path, lock), whole=True)
    same_fab("", job(tmp_path))
    for found, whole in (("cdcdcdcd", False), ("abababab", True), ("", False)):
        with pytest.raises(InvalidInput, match="FTB523"):
            same_fab(found, job(tmp_path, lock), whole=whole)


def family(tmp_path: Path, marker: str) -> tuple[Guarded, Path]:
    """A guarded family of three processes, all there."""
    fifo = tmp_path / "ready"
    os.mkfifo(fifo)
    temporary = temporary_folder(marker)
    command = [sys.executable, "-c", FAMILY, str(fifo)]
    made = Guarded(marker, temporary, tmp_path / "log", command, tree.environment(marker))
    assert fifo.read_text() == "ready"  # opening waits for the writer
    return made, temporary


@pytest.mark.parametrize("ask", ["submit", "status", "stop", "keep_log"])
def test_a_folder_that_the_guardian_took_away_is_a_dead_superlink(tmp_path: Path, ask: str) -> None:
    flower = Flower(job(tmp_path), "here", env={}, folder=tmp_path / "gone", tick=lambda: None)
    with pytest.raises(RunFailed, match="FTB526"):
        getattr(flower, ask)(*([] if ask == "submit" else ["1"]))


def test_the_guardian_leaves_nothing(tmp_path: Path, marker: str) -> None:
    guard, temporary = family(tmp_path, marker)
    assert len(tree.marked(marker)) == 4  # guardian, command, child, daemon
    assert guard.alive()
    assert guard.stop() == []
    assert tree.marked(marker) == []
    assert not temporary.exists()
    assert guard.stop() == []


def test_the_guardian_outlives_its_asker_only_to_clean_up(tmp_path: Path, marker: str) -> None:
    fifo = tmp_path / "asked"
    os.mkfifo(fifo)
    (tmp_path / "work").mkdir()
    script = (
        "import sys; sys.path.insert(0, sys.argv[1]); from pathlib import Path; import test_flower_parts as t\n"
        "t.family(Path(sys.argv[2]), sys.argv[3]); open(sys.argv[4], 'w').write('up'); t.signal.pause()"
    )
    words = [sys.executable, "-c", script, str(Path(__file__).parent), str(tmp_path / "work"), marker, str(fifo)]
    with subprocess.Popen(words) as asker:
        assert fifo.read_text() == "up"
        alive = tree.marked(marker)
        assert len(alive) == 4
        asker.kill()
        asker.wait()
        _, left = psutil.wait_procs(alive, timeout=60)
    assert left == []
    assert list(Path(guarded.tempfile.gettempdir()).glob(f"ftb-{marker[:8]}-*")) == []


def test_leftovers_of_a_killed_guardian_are_cleared(tmp_path: Path, marker: str) -> None:
    guard, temporary = family(tmp_path, marker)
    psutil.Process(guard.pid).kill()
    assert clear_leftovers(marker) == []
    assert tree.marked(marker) == []
    assert not temporary.exists()
    guard.stop()


def test_a_command_that_ends_ends_the_guardian(tmp_path: Path, marker: str) -> None:
    log = tmp_path / "log"
    command = [sys.executable, "-c", "print('said'); raise SystemExit(3)"]
    guard = Guarded(marker, temporary_folder(marker), log, command, tree.environment(marker))
    assert guard._guardian.wait(timeout=60) == 3
    assert not guard.alive()
    assert "said" in log.read_text()
    guard.stop()


def test_signals_to_the_guardian_clean_up_too(tmp_path: Path, marker: str) -> None:
    guard, _ = family(tmp_path, marker)
    alive = tree.marked(marker)
    os.kill(guard.pid, signal.SIGTERM)
    _, left = psutil.wait_procs([p for p in alive if p.pid != guard.pid], timeout=60)
    assert left == []
    guard.stop()


@pytest.mark.parametrize("length", [4, 10, 16, 17, 18, 19, 20, 22, 24, 25, 40, 90])
def test_temporary_folders_leave_room_for_rays_sockets(
    length: int, marker: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever TMPDIR is: the user's own where the longest path of Ray's fits, else a short one."""
    own = Path("/tmp") / ("x" * (length - len("/tmp/"))) if length > len("/tmp/") else Path("/tmp")
    own.mkdir(exist_ok=True)
    try:
        monkeypatch.setattr(guarded.tempfile, "tempdir", str(own))
        made = temporary_folder(marker)
        longest = str(made) + guarded.RAY_SOCKET
        assert len(longest) <= guarded.LONGEST_SOCKET
        with socket.socket(socket.AF_UNIX) as listener:
            Path(longest).parent.mkdir(parents=True)
            listener.bind(longest)
        assert made.parent in (own, Path("/tmp"))
        assert made.stat().st_mode & 0o777 == 0o700
        assert clear_leftovers(marker) == [] and not made.exists()
    finally:
        if own != Path("/tmp"):
            shutil.rmtree(own)


def test_the_command_keeps_its_own_python_path(tmp_path: Path, marker: str) -> None:
    log = tmp_path / "log"
    command = [sys.executable, "-c", "import os; print(repr(os.environ.get('PYTHONPATH')))"]
    for given, seen in (("", "None"), ("/given", "'/given'")):
        env = tree.environment(marker, {**os.environ, "PYTHONPATH": given})
        guard = Guarded(marker, temporary_folder(marker), log, command, env)
        guard._guardian.wait(timeout=60)
        guard.stop()
        assert log.read_text().splitlines()[-1] == seen
