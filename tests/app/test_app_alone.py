"""Two processes never write one ledger."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from ftbench.app import run_lock as module
from ftbench.app.errors import AppError

HOLD = """
import fcntl, sys
file = open(sys.argv[1], "a")
fcntl.lockf(file, fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.read()
"""


def test_a_second_process_waits_and_then_refuses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, clock = tmp_path / ".ledger.lock", [0.0]
    monkeypatch.setattr(module, "now", lambda: clock[0])
    monkeypatch.setattr(module, "sleep", lambda seconds: clock.__setitem__(0, clock[0] + seconds))
    words = [sys.executable, "-c", HOLD, str(path)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdin is not None
        assert other.stdout.readline() == "held\n"
        with pytest.raises(AppError, match="FTB549 another process writes to"):
            module.hold_run(path)
        assert clock[0] >= module.PATIENCE_SECONDS
        clock[0] = 0.0
        monkeypatch.setattr(module, "sleep", lambda seconds: (other.kill(), other.wait()))  # the other one ends
        module.hold_run(path).close()


def test_one_process_may_resume_its_own(tmp_path: Path) -> None:
    with module.hold_run(tmp_path / "lock"), module.hold_run(tmp_path / "lock"):
        pass
