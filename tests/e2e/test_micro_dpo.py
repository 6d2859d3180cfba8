"""DPO from spec to verified bundle, and what it does that imitation of the preferred answers does not."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ftbench import builtin
from ftbench.spec.emit import emit
from ftbench.spec.load import load_spec

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

SPEC = "micro/general-nlp-dpo"


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


def test_pairs_teach_what_is_liked_best(tmp_path: Path) -> None:
    """Seed 1: the best answer over the fair one 0.61 untuned, 0.83 tuned; the fair one over poor ones 0.49 and 1.00."""
    done = said("run", SPEC, "--engine", "inline", "--out", tmp_path)
    verdict = said("verify", done["bundle"], "--spec", builtin.specs()[SPEC], "--require", "RESCORED")
    assert "RESCORED" in json.dumps(verdict)
    tasks = done["result"]["scores"]["tasks"]
    assert tasks["best"]["difference"]["interval"]["low"] > 0.05
    assert tasks["fair"]["tuned"]["value"] > 0.9
    log = (Path(done["run_dir"]) / "logs" / "inline.log").read_text()
    assert "round 12, client" in log and "reward accuracy" in log


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_imitation_of_the_preferred_answers_does_not(seed: int, tmp_path: Path) -> None:
    """The same rows, the preferred answers alone: 0.16 at most on `best`, below the untuned 0.61."""
    value = load_spec(builtin.specs()[SPEC]).spec.model_dump(mode="json")
    value["objective"] = {"kind": "sft"}
    value["data"]["rejected"] = None
    value["metadata"]["name"] = "imitation"
    del value["knobs"]["objective.beta"]
    spec = tmp_path / "imitation.yaml"
    spec.write_bytes(emit(value))
    store = f"{tmp_path / 'store'}:{builtin.store()}"
    said("lock", spec, "--store", store)
    run = ("run", spec, "--engine", "inline", "--store", store, "--out", tmp_path, "--seed", str(seed))
    tasks = said(*run)["result"]["scores"]["tasks"]
    assert tasks["best"]["tuned"]["value"] < tasks["best"]["untuned"]["value"] - 0.2
    assert tasks["fair"]["tuned"]["value"] > 0.9
