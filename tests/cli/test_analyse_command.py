"""`ftbench analyse` on forged bundles, and sweep files: what they say before anything is run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ftbench import builtin
from ftbench.cli.main import run

Captured = pytest.CaptureFixture[str]
CLAIM = """
ftbench: sweep/v1
title: Ranks
claim: A larger rank scores more.
refuted_by: An interval below zero.
fixed: All else.
specs: [quickstart]
vary: {adapter.rank: [2, 4]}
seeds: 2
claims:
  - {kind: difference, says: Rank 4 scores more than rank 2, factor: rank, level: "4", against: "2"}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "ranks.yaml"
    path.write_text(CLAIM)
    return path


def test_analyse(submitted: Any, file: Path, tmp_path: Path, capsys: Captured) -> None:
    asked = ["analyse", str(submitted.bundles), *submitted.options, "--claims", str(file)]
    assert run([*asked, "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["runs"] == 5 and {one.split(":")[0] for one in answer["left_out"]} == {"tampered", "broken.zip"}
    assert answer["claims"][0]["outcome"] == "not asked"
    for ending in ("md", "html", "json"):
        assert run([*asked, "--out", str(tmp_path / f"a.{ending}")]) == 0
    page = (tmp_path / "a.html").read_text()
    assert "Rank 4 scores more than rank 2" in page and "<script" not in page
    built = ["site", "build", str(submitted.bundles), *submitted.options, "-o", str(tmp_path / "site")]
    assert run([*built, "--analysis", str(tmp_path / "a.json")]) == 0
    assert "Rank 4 scores more" in (tmp_path / "site" / "analysis.html").read_text()
    assert run([*built, "--analysis", str(file)]) == 3
    assert "FTB916" in capsys.readouterr().err


def test_one_bundle_is_no_analysis(submitted: Any, capsys: Captured) -> None:
    assert run(["analyse", submitted.good, *submitted.options]) == 3
    assert "FTB916" in capsys.readouterr().err


def test_a_sweep_file_says_what_it_takes(file: Path, capsys: Captured) -> None:
    assert run(["sweep", str(file), "--dry-run", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["runs"] == 4 and answer["specs"][0]["settings"] == 2
    assert set(answer["hours"]) == {"80 GB (H100)", "24 GB (RTX 4090)"}
    assert run(["sweep", str(file), "--vary", "adapter.rank=8", "--dry-run"]) == 2
    assert "the sweep file says this" in capsys.readouterr().err


@pytest.mark.parametrize("name", sorted(builtin.sweeps()))
def test_the_papers_comparisons_can_be_planned(name: str, capsys: Captured) -> None:
    assert run(["sweep", name, "--dry-run", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["runs"] > 0 and answer["claim"] and answer["refuted_by"]
    assert all(one["settings_fitting"]["80 GB (H100)"] == one["settings"] for one in answer["specs"])


def test_a_wrong_sweep_file_is_refused(file: Path, capsys: Captured) -> None:
    file.write_text(CLAIM.replace("vary:", "varry:") + "trials: 3\n")
    assert run(["sweep", str(file), "--dry-run"]) == 3
    shown = capsys.readouterr().err
    assert "FTB915" in shown and "varry" in shown
