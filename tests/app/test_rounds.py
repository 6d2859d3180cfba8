"""Whole runs in this process: what is recorded, and that it repeats."""

from __future__ import annotations

from ftbench.result.models import LedgerLine


def test_a_run_writes_a_whole_ledger(make_bench):
    bench = make_bench()
    bench.play()
    events = [body["event"] for body in bench.ledger]
    assert events == ["started", "round", "round", "round", "finished"]
    for line in (bench.run_dir / "ledger.jsonl").read_text().splitlines():
        LedgerLine.model_validate_json(line)
