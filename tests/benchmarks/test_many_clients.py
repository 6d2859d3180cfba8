"""1,000 clients at 1 % sampling, 20 rounds at length, two cores, 4 GiB: by both local engines, to the same adapter."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from effort import times

SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks" / "many_clients.py"
LIMIT = 4096


def measured(*more: str) -> dict[str, dict[str, int]]:
    command = [sys.executable, str(SCRIPT), "--limit-mib", str(LIMIT), *more]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=3600)
    assert done.returncode == 0, done.stderr  # also where the engines end at different adapters
    return dict(json.loads(done.stdout.splitlines()[-1])["engines"])


@pytest.mark.slow
def test_a_thousand_clients_fit() -> None:
    found = measured("--rounds", str(times(5, 20)))
    assert set(found) == {"flower-simulation", "inline"}
    assert all(one["peak_mib"] < LIMIT for one in found.values())
    assert all(one["ledger_kib"] < 100 for one in found.values())


@pytest.mark.slow
def test_a_run_beyond_the_limit_is_stopped() -> None:
    command = [sys.executable, str(SCRIPT), "--engine", "inline", "--limit-mib", "300", "--clients", "20"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=3600)
    assert done.returncode == 1
    assert "takes more than 300 MiB" in done.stderr
