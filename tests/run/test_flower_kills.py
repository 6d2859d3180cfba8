"""Kills of a run on Flower's engine, thirty at length, over everything that it consists of: each ends soon, leaves
nothing and is gone on with; the run ends at the adapter of one that nothing happened to."""

from __future__ import annotations

import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
import pytest
from effort import times
from test_real_faults import compile_to, ended, job

from ftbench.run.engines.inline import InlineEngine
from ftbench.run.processes import tree
from ftbench.run.processes.guarded import clear_leftovers

pytestmark = [pytest.mark.slow, pytest.mark.e2e]

KILLS = times(5, 30)
VICTIMS = ("main", "guardian", "superlink", "worker", "raylet")
PATIENCE = 90.0
"""Seconds from a kill until whoever asked for the run knows, and everything is gone."""
SCRIPT = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from dataclasses import replace
from test_real_faults import job
from ftbench.errors import FtbenchError
from ftbench.run.engines.flower import FlowerSimulation
try:
    FlowerSimulation().train(replace(job(Path(sys.argv[2]), Path(sys.argv[3])), marker=sys.argv[4]), lambda: None)
except FtbenchError as error:
    print(error)
    sys.exit(5)
"""


def named(main: psutil.Process, marker: str, victim: str) -> psutil.Process | None:
    """The process to kill; None while there is none."""
    if victim == "main":
        return main
    marks = {
        "guardian": "ftbench.run.processes.guardian",
        "superlink": "flower-superlink",
        "worker": "ray::",
        "raylet": "raylet/raylet",
    }
    for process in tree.marked(marker):
        try:
            if any(marks[victim] in word for word in process.cmdline()[:5]):
                return process
        except psutil.Error:
            continue
    return None


def kill(victim: str, wait: float, compiled: Path, run_dir: Path, marker: str) -> tuple[int, str, float]:
    """Start, kill so many seconds after the victim appeared; exit status, what was said, seconds until all is gone."""
    words = [sys.executable, "-c", SCRIPT, str(Path(__file__).parent), str(compiled), str(run_dir), marker]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        main = psutil.Process(process.pid)
        while process.poll() is None and named(main, marker, victim) is None:
            time.sleep(0.05)
        try:
            process.wait(wait)
        except subprocess.TimeoutExpired:
            chosen = named(main, marker, victim)
            if chosen is not None:
                chosen.kill()
        began = time.monotonic()
        said = process.communicate(timeout=PATIENCE)[0]
    while victim == "main" and tree.marked(marker) and time.monotonic() - began < PATIENCE:
        time.sleep(0.1)  # the guardian ends the others
    return process.returncode, said, time.monotonic() - began


def test_kills_of_whatever_a_run_consists_of(tmp_path: Path) -> None:
    compiled = compile_to(tmp_path / "compiled", 2)
    InlineEngine().train(job(compiled, tmp_path / "whole"), lambda: None)
    draw = random.Random(20261127)
    marker = f"{tree.new_token()}-kills"
    cut, killed, slowest = tmp_path / "cut", 0, 0.0
    while killed < KILLS:
        victim = VICTIMS[killed % len(VICTIMS)]
        status, said, seconds = kill(victim, draw.uniform(0, 12), compiled, cut, marker)
        if status == 0:
            # It was done before its turn came: the kills to come meet another run.
            assert ended(cut) == ended(tmp_path / "whole")
            cut = tmp_path / f"cut-{killed}"
            continue
        killed += 1
        slowest = max(slowest, seconds)
        assert status in (5, -9), said
        assert victim == "main" or "FTB5" in said, said
        if victim == "main":
            assert tree.marked(marker) == []
        assert clear_leftovers(marker) == [] and tree.marked(marker) == []
        assert list(Path(tempfile.gettempdir()).glob(f"ftb-{marker[:8]}-*")) == []
    print(f"{killed} kills, the slowest end after {slowest:.1f} s", file=sys.stderr)
    while kill("main", 600.0, compiled, cut, marker)[0] != 0:
        pass
    assert ended(cut) == ended(tmp_path / "whole")
