"""An entry with code of its own from its file to a verified bundle, and what happens without leave."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ftbench import builtin

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

ENTRY = builtin.entries() / "quickstart-open.yaml"


def ftbench(*arguments: str | Path) -> tuple[int, dict[str, Any]]:
    done = subprocess.run(
        [sys.executable, "-m", "ftbench", *map(str, arguments), "--json"],
        capture_output=True,
        check=False,
        text=True,
        timeout=600,
    )
    return done.returncode, dict(json.loads(done.stdout))


def test_it_runs_with_leave_and_is_verified(tmp_path: Path) -> None:
    out = ("--out", tmp_path, "--engine", "inline", "--set", "federation.rounds=2")
    status, told = ftbench("run", "quickstart", "--entry", ENTRY, *out)
    assert status == 3 and told["diagnostics"][0]["code"] == "FTB536"
    assert list(tmp_path.iterdir()) == []
    status, told = ftbench("run", "quickstart", "--entry", ENTRY, "--open-code", *out)
    assert status == 0, told
    assert told["result"]["division"] == "open"
    bundle = Path(told["bundle"])
    assert (bundle / "open" / "strategy.py").read_bytes() == (ENTRY.parent / "open" / "agreement.py").read_bytes()
    status, told = ftbench("verify", bundle, "--spec", builtin.specs()["quickstart"])
    assert status == 0, told
    status, told = ftbench("run", "--resume", bundle.parent)
    assert status == 0, "a finished run is only reported"
    status, told = ftbench("leaderboard", tmp_path, "--benchmarks", bundle.parent / "compiled")
    assert [table["division"] for table in told["tables"]] == ["open"]
