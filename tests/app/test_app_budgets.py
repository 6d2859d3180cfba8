"""The adapters within budgets that the app leaves, what it measures of a round, and how it stops when asked to."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from safetensors.numpy import load

from ftbench.app import arrays, budget_adapters
from ftbench.app.errors import AppError
from ftbench.result.budgets import measure_within as by_ledger
from ftbench.result.documents import Round
from ftbench.spec.budgets import QualityWithin

MakeBench = Callable[..., Any]
MIB = 2**20


def round_bytes(bench: Any) -> int:
    return sum(bench.ledger[1][key] for key in ("bytes_down", "bytes_up"))


def test_the_adapter_of_each_budgets_last_round_is_written(make_bench: MakeBench) -> None:
    plain = make_bench(name="plain")
    plain.play()
    one = round_bytes(plain) / MIB
    budgets = [0.5 * one, one, 1.5 * one, 2 * one, 9 * one]
    bench = make_bench({"evaluation.quality_within": {"communication_mib": budgets}}, name="budgets")
    bench.play()
    folders = sorted(path.name for path in (bench.run_dir / "within").iterdir())
    assert folders == ["round-1", "round-2", "round-3"]
    rounds = [Round.model_validate(body) for body in bench.ledger if body["event"] == "round"]
    chosen = by_ledger(QualityWithin(communication_mib=budgets), rounds, bench.ledger[0]["adapter"])
    assert [found.round for found in chosen] == [0, 1, 1, 2, 3]
    for found in chosen[1:]:
        held = load((budget_adapters.folder(bench.run_dir, found.round) / "adapter_model.safetensors").read_bytes())
        assert arrays.digest(bench.plan.spec["adapter"], held) == found.adapter
    assert (bench.run_dir / "within" / "round-1" / "adapter_config.json").read_bytes() == (
        bench.run_dir / "adapter" / "adapter_config.json"
    ).read_bytes()
    assert not (plain.run_dir / "within").exists()


def test_a_round_is_measured_with_its_bytes(make_bench: MakeBench) -> None:
    bench = make_bench()
    bench.play()
    for body, line in zip(
        bench.ledger[1:-1], (bench.run_dir / "measurements.jsonl").read_text().splitlines(), strict=True
    ):
        measured = json.loads(line)
        assert {key: measured[key] for key in ("round", "bytes_down", "bytes_up")} == {
            key: body[key] for key in ("round", "bytes_down", "bytes_up")
        }
        assert measured["seconds"] > 0 and measured["peak_memory_bytes"] > 2**24


def test_asked_to_stop_it_stops_before_the_next_round_and_goes_on_alike(make_bench: MakeBench) -> None:
    whole = make_bench(name="whole")
    whole.play()
    bench = make_bench(name="cut")
    asked = bench.run_dir / "stop.json"

    class Asking(type(bench.grid())):  # type: ignore[misc]
        def deliver(self, message: Any) -> Any:
            if message.metadata.group_id == "2":
                asked.write_text('{"detail": "61 s of wall time, the operator\'s limit is 60"}')
            return super().deliver(message)

    with pytest.raises(AppError, match="FTB557 round 3 was not begun: 61 s"):
        bench.play(Asking)
    assert [body["event"] for body in bench.ledger] == ["started", "round", "round", "stopped"]
    stopped = bench.ledger[-1]
    assert (stopped["reason"], stopped["round"], stopped["excluded"]) == ("operator-limit", 3, [])
    with pytest.raises(AppError, match="FTB557"):
        bench.play(resume=True)
    asked.unlink()
    bench.play(resume=True)
    assert bench.ledger[-1]["adapter"] == whole.ledger[-1]["adapter"]


def test_a_request_that_cannot_be_read_is_a_request(make_bench: MakeBench) -> None:
    bench = make_bench()
    bench.run_dir.mkdir()
    (bench.run_dir / "stop.json").write_bytes(b"\xff")
    with pytest.raises(AppError, match="the operator asked the run to stop"):
        bench.play()
