"""A sweep killed without warning and given again ends at the table of one that nobody killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

COMMAND = (
    *("sweep", "quickstart", "--vary", "adapter.rank=2,4", "--set", "federation.rounds=3"),
    *("--engine", "inline", "--json"),
)


def start(out: Path) -> subprocess.Popen[str]:
    words = [sys.executable, "-m", "ftbench", *COMMAND, "--out", str(out)]
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_killed_and_given_again(tmp_path: Path) -> None:
    straight, killed = tmp_path / "straight", tmp_path / "killed"
    told = start(straight).communicate(timeout=600)
    document = json.loads(told[0])
    assert [run["state"] for run in document["runs"]] == ["whole", "whole"], told[1]
    first = start(killed)
    assert first.stderr is not None
    for line in first.stderr:  # no clock: the run itself says when it is in its second cell's training
        if "round 1/3" in line and (killed / "quickstart-rank4-s1").is_dir():
            os.kill(first.pid, signal.SIGKILL)
            break
    first.communicate(timeout=60)
    assert first.returncode == -signal.SIGKILL
    out, err = start(killed).communicate(timeout=600)
    assert "1 of 2 runs are whole already" in err and "going on with" in err
    again = json.loads(out)
    for run in document["runs"]:
        other = next(one for one in again["runs"] if one["folder"] == run["folder"])
        assert other["adapter"] == run["adapter"]
    assert again["rows"] == document["rows"]
    for name in ("table.md", "table.csv"):
        assert (killed / name).read_bytes() == (straight / name).read_bytes()
