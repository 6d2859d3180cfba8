"""The micro study of faults from spec to verified bundle: one attacker ruins the mean, and not the median."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ftbench import builtin

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

STUDY = "micro/finance-faults"


def said(*arguments: str | Path) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "ftbench", *map(str, arguments), "--json"],
        capture_output=True,
        check=False,
        text=True,
        timeout=1200,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return dict(json.loads(done.stdout))


def carried_out(out: Path, *sets: str) -> dict[str, Any]:
    """The result of a run that was verified."""
    options = [word for one in sets for word in ("--set", one)]
    done = said("run", STUDY, "--engine", "inline", "--out", out, *options)
    said_of = said("verify", done["bundle"], "--spec", builtin.specs()[STUDY], "--require", "RESCORED")
    verdict = said_of["bundles"][0]["verdict"]
    checks = {check["check"]: check["evidence"] for check in verdict["checks"]}
    assert " 0 dropped-out" not in checks["faults-planned"] and " 0 late" not in checks["faults-planned"]
    assert any("1 of 8 clients drawn as Byzantine" in note for note in verdict["not_checked"])
    result = dict(json.loads((Path(done["bundle"]) / "result.json").read_bytes()))
    assert result["planned_exclusions"] > 0 and result["exclusions"] == 0
    return result


def test_one_attacker_ruins_fedavg(tmp_path: Path) -> None:
    scores = carried_out(tmp_path)["scores"]
    assert scores["robustness"]["interval"]["high"] < -0.3
    assert scores["references"]["fault-free"]["value"] > 0.7


@pytest.mark.parametrize(
    ("sets", "least"), [(["strategy.kind=fedmedian"], -0.1), (["strategy.kind=krum", "strategy.byzantine=1"], -0.5)]
)
def test_robust_strategies_withstand_it(tmp_path: Path, sets: list[str], least: float) -> None:
    """Krum keeps one reply, so that dropouts and late clients slow it down more."""
    scores = carried_out(tmp_path, *sets)["scores"]
    assert scores["robustness"]["interval"]["low"] > least
    assert scores["difference"]["interval"]["low"] > 0.2
