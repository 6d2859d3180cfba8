"""Workers that end with whoever started them, also where that is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from ftbench.run.processes.tied import run_tied

WAITS = """
import sys, time
from ftbench.run.engines.inline_worker import end_with_stdin
end_with_stdin()
open(sys.argv[1], "w").close()
time.sleep(600)
"""
PARENT = """
import os, sys
from pathlib import Path
from ftbench.run.processes.tied import run_tied
run_tied([sys.executable, "-c", sys.argv[1], sys.argv[2]], Path(sys.argv[3]), os.environ)
"""


def test_what_it_says_and_how_it_ended(tmp_path: Path) -> None:
    text = "import os, sys; print('out', os.getcwd(), flush=True); sys.exit('err')"
    status = run_tied([sys.executable, "-c", text], tmp_path / "log", os.environ, tmp_path)
    assert (status, (tmp_path / "log").read_text()) == (1, f"out {tmp_path}\nerr\n")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_it_ends_with_its_starter(number: signal.Signals, tmp_path: Path) -> None:
    up = tmp_path / "up"
    parent = subprocess.Popen([sys.executable, "-c", PARENT, WAITS, str(up), str(tmp_path / "log")], stderr=-3)
    while not up.exists() and parent.poll() is None:
        time.sleep(0.02)
    [child] = psutil.Process(parent.pid).children()
    parent.send_signal(number)
    parent.wait(60)
    child.wait(60)


def test_merging_ends_when_nobody_waits_for_it() -> None:
    order = '{"base": "nowhere", "adapter": "nowhere", "out": "nowhere", "dtype": "float32"}'
    command = [sys.executable, "-P", "-m", "ftbench.run.merge_worker", order]
    assert subprocess.run(command, input=b"", stderr=-3, timeout=300, check=False).returncode == 3
