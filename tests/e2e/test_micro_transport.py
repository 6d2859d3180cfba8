"""The micro study of transport: a coded run is verified, costs what was estimated, and trains as well."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ftbench import builtin

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

STUDY = "micro/finance-transport"


def said(*arguments: str | Path) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "ftbench", *map(str, arguments), "--json"],
        capture_output=True,
        check=False,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return dict(json.loads(done.stdout))


def estimated(*sets: str) -> int:
    arguments = [part for item in sets for part in ("--set", item)]
    return int(said("estimate", STUDY, *arguments)["estimate"]["communication"]["total_bytes"])


def test_a_coded_run_is_verified_and_costs_what_was_estimated(tmp_path: Path) -> None:
    done = said("run", STUDY, "--engine", "inline", "--out", tmp_path)
    bundle = Path(done["bundle"])
    said("verify", bundle, "--spec", builtin.specs()[STUDY], "--require", "RESCORED")
    result = json.loads((bundle / "result.json").read_bytes())
    moved = result["cost"]["bytes_down"] + result["cost"]["bytes_up"]
    assert moved == estimated()
    whole = estimated("transport.down=float32", "transport.up=float32")
    # bf16 down and int8 up with its scales: 3 bytes and a little for 8.
    assert 8 / 3 * 0.98 < whole / moved < 8 / 3
    for scores in result["scores"]["tasks"].values():
        assert scores["difference"]["interval"]["low"] > 0
    rounds = [json.loads(line)["body"] for line in (bundle / "ledger.jsonl").read_bytes().splitlines()]
    assert all(body["strategy_state"] and body["client_states"] for body in rounds if body["event"] == "round")
