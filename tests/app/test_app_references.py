"""Reference runs: the same rounds and steps on pooled rows, or on one client's alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from safetensors.numpy import load_file

from ftbench.app import client_rows, initial, model, objective, settings, tokens, validation, worker
from ftbench.result.documents import LedgerLine
from ftbench.run.engines.inline_grid import InlineGrid

MakeBench = Callable[..., Any]


def play(bench: Any, **config: Any) -> list[dict[str, Any]]:
    from ftbench.app.client_app import app

    bench.play(grid=InlineGrid(app, {**bench.config, **config}, 1), **config)
    for line in (bench.run_dir / "ledger.jsonl").read_text().splitlines():
        LedgerLine.model_validate_json(line)
    ledger: list[dict[str, Any]] = bench.ledger
    return ledger


def test_the_pool_is_every_client_s_rows(make_bench: MakeBench) -> None:
    bench = make_bench()
    wanted = settings.read({**bench.config, "reference": "centralised"}, bench.plan)
    assert wanted.clients == 1
    assert client_rows.sizes(wanted) == [22]
    assert client_rows.numbers(wanted, [[4, 0], [1, 3], [2]], 0) == [0, 1, 2, 3, 4]
    alone = settings.read({**bench.config, "reference": "local", "reference-client": 1}, bench.plan)
    assert client_rows.sizes(alone) == [bench.plan.pins["partition"]["sizes"][1]]
    assert client_rows.numbers(alone, [[4, 0], [1, 3], [2]], 0) == [1, 3]


@pytest.mark.parametrize("reference", ["centralised", "local"])
def test_the_rounds_are_the_benchmark_s_and_nothing_is_charged(make_bench: MakeBench, reference: str) -> None:
    bench = make_bench({"budget.communication_mib": 1e-9})
    ledger = play(bench, **{"reference": reference, "reference-client": 2})
    started, *rounds, finished = ledger
    assert started["clients"] == 1
    assert [body["round"] for body in rounds] == [1, 2, 3]
    assert [round(body["learning_rate"], 6) for body in rounds] == [0.01, 0.0055, 0.001]
    assert all(body["sampled"] == [0] and body["bytes_down"] == body["bytes_up"] == 0 for body in rounds)
    assert all(body["adapter"] == body["replies"][0]["update"] for body in rounds)
    assert all(body["replies"][0]["steps"] == 2 for body in rounds)
    assert rounds[0]["replies"][0]["examples"] == (22 if reference == "centralised" else 7)
    assert finished["round"] == 3
    assert (bench.run_dir / "adapter" / "adapter_model.safetensors").is_file()


def test_a_client_alone_takes_the_steps_that_it_takes_in_the_federation(make_bench: MakeBench) -> None:
    """Up to the first mean the two are one: same init, rows, order and rate."""
    everyone = {"federation.sampling.fraction": 1.0, "federation.rounds": 1}
    together = make_bench(everyone, name="together")
    together.play()
    alone = play(make_bench(everyone, name="alone"), **{"reference": "local", "reference-client": 2})
    assert alone[0]["adapter"] == together.ledger[0]["adapter"]
    assert alone[1]["replies"][0]["update"] == together.ledger[1]["replies"][2]["update"]


def test_a_reference_has_no_strategy(make_bench: MakeBench) -> None:
    block = {"kind": "fedprox", "mu": 100.0}
    strategies = [{f"strategy.{key}": value for key, value in block.items()}, {}]
    ends = [
        play(make_bench(change, name=f"run{number}"), reference="centralised")[-1]["adapter"]
        for number, change in enumerate(strategies)
    ]
    assert ends[0] == ends[1]


def test_a_reference_goes_on_where_it_was(make_bench: MakeBench, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = play(make_bench(name="whole"), reference="centralised")
    bench = make_bench(name="cut")
    real = worker.train

    def train(*arguments: Any, **more: Any) -> Any:
        if more["round_number"] == 3:
            raise KeyboardInterrupt
        return real(*arguments, **more)

    monkeypatch.setattr(worker, "train", train)
    with pytest.raises(KeyboardInterrupt):
        play(bench, reference="centralised")
    monkeypatch.undo()
    monkeypatch.setitem(worker._checked, bench.plan.spec_hash, bench.plan)
    assert play(bench, reference="centralised", resume=True)[-1] == whole[-1]


def test_references_learn(make_bench: MakeBench) -> None:
    change = {"federation.rounds": 4, "training.local_steps": 4}
    losses = {}
    for reference in ("centralised", "local"):
        bench = make_bench(change, name=reference)
        play(bench, reference=reference)
        found = worker.find_worker(settings.read(bench.config, bench.plan))
        rows = tokens.encode_all(bench.world.rows, bench.plan.spec["data"], 32, found.tokenizer)
        model.set_arrays(found.net, initial.arrays(bench.world.model_folder, bench.plan.spec, 1))
        untuned = validation.loss(found.net, rows, objective.find_objective(bench.plan.spec))
        model.set_arrays(found.net, load_file(str(bench.run_dir / "adapter" / "adapter_model.safetensors")))
        losses[reference] = validation.loss(found.net, rows, objective.find_objective(bench.plan.spec))
        assert losses[reference] < untuned - 0.1
    assert losses["centralised"] != losses["local"]


def test_what_a_reference_is_called(tmp_path: Path) -> None:
    from ftbench.run.engines.engine import TrainJob
    from ftbench.run.references import config_of

    job = TrainJob(tmp_path, {"run-dir": "x", "seed": 1}, tmp_path / "run", tmp_path, clients=3)
    assert config_of(job, "centralised")["reference"] == "centralised"
    local = config_of(job, "local-12")
    assert (local["reference"], local["reference-client"], local["resume"]) == ("local", 12, False)
    assert local["run-dir"] == str(tmp_path / "run" / "references" / "local-12")
    for name in ("local-", "local-x", "pooled"):
        with pytest.raises(ValueError, match=name):
            config_of(job, name)
