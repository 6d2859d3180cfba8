"""Which adapter answers for each budget, by the ledger of a finished run; and peaks of processes."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from runner_world import STARTED, round_line

from ftbench.errors import InvalidInput
from ftbench.result import ledger
from ftbench.run.evaluation.job import Phase
from ftbench.run.evaluation.references import find_within
from ftbench.run.processes.peaks import Peak, here, together
from ftbench.spec.budgets import QualityWithin
from ftbench.spec.canonical import canonical, sha256

HASH = "ab" * 32
SIZE = 2**20
"""Bytes of a round, both directions."""


def plan(*mib: float) -> Any:
    block = QualityWithin(communication_mib=list(mib)) if mib else None
    spec = SimpleNamespace(evaluation=SimpleNamespace(quality_within=block))
    return SimpleNamespace(typed_spec=lambda: spec)


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    """A whole run of four rounds of which the third is scored; the adapters of rounds 1 and 4 are there."""
    rounds = [
        {**round_line(n), "bytes_down": SIZE, "bytes_up": 0, "adapter": f"{n:064x}", "excluded": []}
        for n in range(1, 5)
    ]
    ended = {
        "event": "finished",
        "rounds": 4,
        "round": 3,
        "adapter": f"{3:064x}",
        "bytes_down": 4 * SIZE,
        "bytes_up": 0,
    }
    before, data = ledger.genesis(HASH), b""
    for number, body in enumerate([{**STARTED, "spec_hash": HASH, "clients": 2}, *rounds, ended]):
        line = canonical({"seq": number, "prev": before, "body": body}) + b"\n"
        before, data = sha256(line), data + line
    (tmp_path / "ledger.jsonl").write_bytes(data)
    for number in (1, 4):
        (tmp_path / "within" / f"round-{number}").mkdir(parents=True)
        (tmp_path / "within" / f"round-{number}" / "adapter_model.safetensors").write_bytes(b"weights")
    return tmp_path


def test_one_adapter_answers_once(run_dir: Path) -> None:
    assert find_within(run_dir, plan(0.5, 1, 1.5, 3, 9)) == {
        "within-0.5-mib": "untuned",
        "within-1-mib": run_dir / "within" / "round-1",
        "within-1.5-mib": "within-1-mib",
        "within-3-mib": "tuned",
        "within-9-mib": run_dir / "within" / "round-4",
    }
    assert find_within(run_dir, plan()) == {}


def test_an_adapter_that_is_not_there_is_told(run_dir: Path) -> None:
    with pytest.raises(InvalidInput, match="the adapter of round 2, for within-2-mib, is not there"):
        find_within(run_dir, plan(2))


def test_a_phase_may_have_any_name_of_an_answer() -> None:
    for name in ("untuned", "local-12", "fault-free", "within-0.5-mib", "within-1000000-mib"):
        assert Phase(name=name, adapter=None).name == name


def test_peaks_of_processes_side_by_side() -> None:
    assert together([Peak(10, 3), Peak(20, 1)]) == Peak(30, 3)
    assert here().memory > 2**24 and here().device == 0
    assert json.dumps(here()._asdict())
