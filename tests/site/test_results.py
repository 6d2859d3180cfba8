"""What stands in results/ is accepted by this checkout. Where a board's hash has moved: `make results`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ftbench.cli.main import run

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
def test_every_result_is_accepted(capsys: pytest.CaptureFixture[str]) -> None:
    found = sorted(map(str, (ROOT / "results" / "bundles").glob("*.zip")))
    assert found
    assert run(["verify", *found, "--json"]) == 0, "run them again: make results"
    told = json.loads(capsys.readouterr().out)
    assert {one["verdict"]["level"] for one in told["bundles"]} == {"RESCORED"}
