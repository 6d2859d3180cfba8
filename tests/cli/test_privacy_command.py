"""`ftbench privacy`: epsilon by round and the noise that would just fit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ftbench.cli.main import run
from ftbench.cli.outputs.privacy import PrivacyOutput
from ftbench.spec.implied import accounting

Captured = pytest.CaptureFixture[str]
CASES = Path(__file__).resolve().parents[1] / "spec" / "cases"
VALID = str(CASES / "privacy-valid.yaml")


def answer(capsys: Captured, *argv: str) -> dict[str, Any]:
    assert run(["privacy", *argv, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    PrivacyOutput.model_validate(found)
    return dict(found)


def test_epsilon_by_round(capsys: Captured) -> None:
    found = answer(capsys, VALID)
    spent = [one["epsilon"] for one in found["rounds"]]
    assert [one["round"] for one in found["rounds"]] == [1, 2, 3, 4, 5]
    assert spent == sorted(set(spent)) and spent[-1] == found["spent"] < found["privacy"]["epsilon"]
    assert found["asked"] == 20 and found["clients"] == 100
    assert found["just_fitting"] < found["privacy"]["noise_multiplier"]


def test_it_says_so_on_a_screen(capsys: Captured) -> None:
    assert run(["privacy", VALID, "--seed", "1"]) == 0
    shown = capsys.readouterr().out
    assert "central privacy, epsilon 8 at delta 0.001" in shown and "would just fit" in shown
    assert [line.split()[0] for line in shown.splitlines()[-5:]] == ["1", "2", "3", "4", "5"]


def test_a_spec_without_privacy(capsys: Captured) -> None:
    assert run(["privacy", "quickstart"]) == 3
    assert "promises no privacy" in capsys.readouterr().err


def test_a_seed_that_is_not_the_spec_s(capsys: Captured) -> None:
    assert run(["privacy", VALID, "--seed", "77"]) == 3
    assert "--seed 77" in capsys.readouterr().err


def test_without_the_package(capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accounting, "available", lambda: False)
    assert run(["privacy", VALID]) == 4
    told = capsys.readouterr().err
    assert "cannot be told without the package" in told and "FTB904" in told
    assert run(["validate", VALID]) == 0  # a warning: whoever runs it needs the package, whoever reads it does not


def test_a_budget_that_does_not_fit_is_refused_with_the_noise_that_would(capsys: Captured) -> None:
    assert run(["validate", str(CASES / "privacy-budget.yaml")]) == 3
    assert "would just fit" in capsys.readouterr().err
