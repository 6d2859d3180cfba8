"""A whole run that has everything of which results/ has nothing: canaries, privacy and clusters, counted again."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import recount

from ftbench.cli.main import run

pytestmark = pytest.mark.slow

SPEC = """
ftbench: spec/v1
extends: micro/medical-dp
metadata: {name: counted, title: "Counted again"}
evaluation:
  canaries: {count: 8, candidates: 64, repeats: 4}
reporting:
  clusters:
    pubmedqa: {column: context}
    medqa: {blocks: [1, 2, 3, 4, 10, 20, 30, 50], shared: wards}
    medmcqa: {blocks: [50, 30, 20, 10, 4, 3, 2, 1], shared: wards}
    careqa: {}
"""


def test_a_run_with_canaries_privacy_and_clusters(tmp_path: Path) -> None:
    spec, store, out, compiled, table = (tmp_path / name for name in ("s.yaml", "store", "out", "compiled", "t.json"))
    spec.write_text(SPEC)
    assert run(["lock", str(spec), "--store", str(store)]) == 0
    words = ["run", str(spec), "--store", str(store), "--engine", "inline", "--keep", "none", "--out", str(out)]
    assert run(words) == 0
    assert run(["compile", str(spec), "--out", str(compiled)]) == 0
    known = ["--spec", str(spec), "--benchmarks", str(compiled), "--store", str(store)]
    assert run(["leaderboard", str(out), *known, "--format", "json", "--out", str(table)]) == 0
    [told] = json.loads(table.read_text())["tables"]
    [row] = told["rows"]
    assert row["epsilon"] > 0 and row["exposure"]["tuned"]["mean"] > 0 and row["clustered_error"] > 0
    words = [sys.executable, recount.__file__, str(table), str(out), str(compiled)]
    counted = subprocess.run(words, capture_output=True, text=True, check=False)
    assert counted.returncode == 0, counted.stdout + counted.stderr
    assert "counted " in counted.stdout
    row["exposure"]["tuned"]["mean"] += 1e-5
    table.write_text(json.dumps({"tables": [told]}))
    counted = subprocess.run(words, capture_output=True, text=True, check=False)
    assert counted.returncode == 1 and "/tuned/mean: told" in counted.stdout
