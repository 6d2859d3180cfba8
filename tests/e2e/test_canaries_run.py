"""Whole runs with canaries: exposed by plain training, not under noise; believed by the verifier, who counts again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ftbench.cli.main import run

pytestmark = pytest.mark.slow

SPEC = """
ftbench: spec/v1
extends: micro/medical
metadata: {{name: {name}, title: "With canaries"}}
evaluation:
  canaries: {{count: 8, candidates: 256, repeats: 8}}
"""
PRIVATE = """
privacy: {kind: central, epsilon: 100000, delta: 1e-3, noise_multiplier: 0.3, clipping: fixed, clip: 1.0}
knobs: {strategy.kind: {choices: [fedavg, fedprox, fedavgm, fedadam]}}
"""


def exposed(folder: Path, name: str, more: str = "") -> dict[str, Any]:
    """`scores.exposure` of a run whose bundle holds up to RESCORED."""
    spec, store = folder / f"{name}.yaml", str(folder / "store")
    spec.write_text(SPEC.format(name=name) + more)
    assert run(["lock", str(spec), "--store", store]) == 0
    words = ["run", str(spec), "--store", store, "--engine", "inline", "--keep", "none", "--out", str(folder / name)]
    assert run(words) == 0
    [bundle] = folder.glob(f"{name}/*/bundle")
    assert run(["verify", str(bundle), "--spec", str(spec), "--store", store, "--require", "RESCORED"]) == 0
    found: dict[str, Any] = json.loads((bundle / "result.json").read_bytes())["scores"]["exposure"]
    return found


def test_noise_hides_what_plain_training_gives_away(tmp_path: Path) -> None:
    plain, private = exposed(tmp_path, "plain"), exposed(tmp_path, "private", PRIVATE)
    assert plain["untuned"] == private["untuned"] and plain["untuned"]["mean"] < 2
    assert plain["tuned"]["mean"] > 4 and plain["tuned"]["most"] > 7
    assert private["tuned"]["mean"] < 2.5
