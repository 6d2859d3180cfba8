"""Faults in a spec and in what its knobs allow: refused where they strike nobody, or leave too few in any round."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ftbench.errors import InvalidInput
from ftbench.spec.checks import faults as checks
from ftbench.spec.checks.faults import Question, tally
from ftbench.spec.entries import apply, check_entry, resolve_entry
from ftbench.spec.faults import Faults
from ftbench.spec.implied import fault_plan
from ftbench.spec.load import load_spec
from ftbench.spec.model import Spec

STRAGGLERS = "{seconds_per_step: 1, mib_per_second: 100, client_spread: 0.5, deadline_seconds: 20}"
OPEN = """ftbench: spec/v1
extends: valid.yaml
metadata: {{name: open}}
federation: {{clients: 8, sampling: {{fraction: 1}}, min_replies: {least}}}
faults: {faults}
knobs:
  training.local_steps: {{min: 1, max: 1000}}
"""


def load(folder: Path, faults: str, least: int = 1) -> Spec:
    (folder / "valid.yaml").write_bytes((Path(__file__).parent / "cases" / "valid.yaml").read_bytes())
    path = folder / "open.yaml"
    path.write_text(OPEN.format(faults=faults, least=least))
    return load_spec(path).spec


def test_steps_that_make_everybody_late_are_refused_in_an_entry(tmp_path: Path) -> None:
    spec = load(tmp_path, f"{{stragglers: {STRAGGLERS}}}")
    resolved = resolve_entry(spec, None)
    assert check_entry(spec, resolved) == []
    with pytest.raises(InvalidInput, match="that run can never end"):
        resolve_entry(spec, None, ["training.local_steps=500"])


def test_so_few_steps_that_nobody_can_be_late_are_refused_in_an_entry(tmp_path: Path) -> None:
    spec = load(tmp_path, f"{{stragglers: {STRAGGLERS}}}")
    with pytest.raises(InvalidInput, match="nobody can miss"):
        resolve_entry(spec, None, ["training.local_steps=1"])


def test_what_the_publisher_was_warned_of_does_not_refuse_an_entry(tmp_path: Path) -> None:
    """Where few are expected and yet enough are there in each round of each seed."""
    (tmp_path / "valid.yaml").write_bytes((Path(__file__).parent / "cases" / "valid.yaml").read_bytes())
    path = tmp_path / "few.yaml"
    path.write_bytes((Path(__file__).parent / "cases" / "faults-few-expected.yaml").read_bytes())
    loaded = load_spec(path)
    assert [one.severity for one in loaded.warnings] == ["warning"]
    assert apply(loaded.spec, resolve_entry(loaded.spec, None)) == loaded.spec


def question(**changes: Any) -> Question:
    given: dict[str, Any] = {
        "faults": Faults.model_validate({"dropout": {"probability": 0.3}}),
        "seeds": (1, 2, 3),
        "clients": 10,
        "asked": 5,
        "rounds": 20,
        "steps": 4,
        "least": 1,
        "largest": 1000,
    }
    return Question(**{**given, **changes})


def test_the_tally_is_the_plan() -> None:
    asked = question(least=4)
    found = tally(asked)
    case = fault_plan.Case(asked.faults, 1, 10, 4)
    left = [
        5 - len(fault_plan.strike(case, number, dict.fromkeys(fault_plan.sampled_clients(1, number, 10, 5), 0)).missing)
        for number in range(1, 21)
    ]
    first = next(number for number, count in enumerate(left, 1) if count < 4)
    assert found.stuck == (1, first, left[first - 1])
    assert found.struck == {1: {"dropout"}, 2: {"dropout"}, 3: {"dropout"}}


def test_of_a_large_spec_the_first_rounds_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that reading it takes a second at most; what strikes nobody there may strike later."""
    drawn: list[int] = []
    strike = fault_plan.strike
    monkeypatch.setattr(checks.fault_plan, "strike", lambda *of: drawn.append(1) or strike(*of))
    found = tally(question(rounds=10_000, seeds=tuple(range(100)), clients=20))
    assert not found.whole and len(drawn) <= 2 * checks.WORK
    assert tally(question(rounds=10_000, seeds=tuple(range(100)), clients=20)) is found, "not drawn again"


def test_seconds_of_a_client_by_hand() -> None:
    """8 steps of 2 s and 3 MiB at 2 MiB/s, by the factors of that client and round."""
    import math

    import numpy as np

    block = {"seconds_per_step": 2.0, "mib_per_second": 2.0, "client_spread": 0.4, "round_spread": 0.1}
    case = fault_plan.Case(Faults.model_validate({"stragglers": {**block, "deadline_seconds": 1.0}}), 5, 7, 8)

    def factor(number: int, word: bytes, spread: float) -> float:
        drawn = np.random.default_rng([5, number, int.from_bytes(word, "big")]).standard_normal(7)
        return math.exp(spread * drawn[3])

    computing, network, speed = factor(0, b"COMP", 0.4), factor(0, b"NETW", 0.4), factor(9, b"SPED", 0.1)
    due = (8 * 2.0 * computing + 3 / 2.0 * network) * speed
    assert fault_plan.durations(case, 9, {3: 3 * 2**20})[3] == pytest.approx(due, rel=1e-12)
