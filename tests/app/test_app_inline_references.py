"""A compiled benchmark with all that the domains ask for, through the inline engine: the run and its references."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ftbench import builtin
from ftbench.compile.compiler import compile_spec
from ftbench.compile.folder import write
from ftbench.result import ledger
from ftbench.result.references import due_references
from ftbench.run import references
from ftbench.run.engines.engine import TrainJob
from ftbench.run.engines.inline import InlineEngine
from ftbench.spec.canonical import digest
from ftbench.spec.load import load_spec
from ftbench.spec.model import Spec
from ftbench.spec.pins import PartitionPin, Pins, SourcePin, partition_inputs, source_inputs

COMMIT = "0" * 39 + "1"


@pytest.fixture(scope="module")
def job(world: Any, tmp_path_factory: pytest.TempPathFactory) -> TrainJob:
    """A base model by name and commit, DoRA on attention, FedAdam by knobs, a validation cut."""
    note = world.store.roots[0] / "models" / "refs" / f"some--model@{COMMIT}"
    note.parent.mkdir(exist_ok=True)
    note.write_text(world.model)
    tree = load_spec(builtin.specs()["quickstart"]).spec.model_dump(mode="json")
    tree["data"]["validation"] = {"fraction": 0.1, "min_rows": 4}
    tree["federation"] |= {"clients": 3, "rounds": 2}
    tree["training"] |= {"local_steps": 2, "batch_size": 4}
    tree["model"] |= {"base": {"name": "some/model", "revision": COMMIT}, "gradient_checkpointing": True}
    tree["adapter"] |= {"kind": "dora", "targets": "attention", "rank": 2}
    tree["evaluation"] |= {
        "checkpoint": "best-validation",
        "references": {"untuned": True, "local": True, "centralised": True},
    }
    tree["knobs"] = {
        "strategy.kind": {"choices": ["fedavg", "fedadam"]},
        **{f"strategy.{name}": {"free": True} for name in ("server_learning_rate", "beta1", "beta2", "tau")},
    }
    spec = Spec.model_validate(tree)
    compiled = write(compile_spec(spec, pins(spec, world)), tmp_path_factory.mktemp("compiled"))
    run_dir = tmp_path_factory.mktemp("run")
    (run_dir / "logs").mkdir()
    config = {
        "store": world.store.joined(),
        "run-dir": str(run_dir),
        "micro-batch": -1,
        "strategy.kind": "fedadam",
        "strategy.server_learning_rate": 0.05,
        "strategy.beta1": 0.9,
        "strategy.beta2": 0.99,
        "strategy.tau": 0.01,
    }
    return TrainJob(compiled, config, run_dir, run_dir / "logs", clients=3)


def pins(spec: Spec, world: Any) -> Pins:
    shares = [list(range(18))[k::3] for k in range(3)]
    train = world.store.put_rows(world.rows)
    source = SourcePin(
        inputs=source_inputs(spec.data.source, spec.data.columns), digest=train, rows=len(world.rows), licence="CC0-1.0"
    )
    partition = PartitionPin(
        inputs=partition_inputs(train, spec.federation, spec.seeds.partition, spec.data.validation),
        digest=world.store.put_partition(shares),
        sizes=[len(share) for share in shares],
        digests=[digest([world.rows[n] for n in share]) for share in shares],
        validation=world.store.put_partition([[18, 19, 20, 21]]),
        validation_rows=4,
    )
    return Pins(sources={"train": source}, partition=partition)


@pytest.mark.slow
@pytest.mark.e2e
def test_a_run_and_what_it_is_compared_with(job: TrainJob, world: Any) -> None:
    from ftbench.compile.plan import Plan

    spec = Plan.model_validate_json((job.compiled / "app/ftbench_app/plan.json").read_bytes()).typed_spec()
    names = due_references(spec)
    assert names == ["centralised", "local-0", "local-1", "local-2"]
    assert not (job.compiled / "app" / "ftbench_app" / "strategy" / "flexlora.py").exists()
    InlineEngine().train(job, lambda: None)
    ticks: list[int] = []
    references.train_references(job, names, lambda: ticks.append(0))
    assert ticks
    folders = [job.run_dir, *(references.folder_of(job.run_dir, name) for name in names)]
    for folder in folders:
        lines = ledger.read(folder / "ledger.jsonl")
        assert ledger.order_problems(lines) == []
        started, *rounds, finished = (line.body.model_dump() for line in lines)
        assert started["base_model"] == world.model
        losses = [body["validation_loss"] for body in rounds]
        assert finished["round"] == 1 + losses.index(min(losses))
        assert finished["adapter"] == rounds[finished["round"] - 1]["adapter"]
        assert all((body["strategy_state"] is None) == (folder != job.run_dir) for body in rounds)
        config = json.loads((folder / "adapter" / "adapter_config.json").read_bytes())
        assert config["target_modules"] == ["k_proj", "o_proj", "q_proj", "v_proj"]
        assert (config["use_dora"], config["revision"]) == (True, COMMIT)
    ends = {(folder / "adapter" / "adapter_model.safetensors").read_bytes() for folder in folders}
    assert len(ends) == len(folders)
    before = {path: path.stat().st_mtime_ns for path in job.run_dir.rglob("*")}
    references.train_references(job, names, lambda: pytest.fail("there is nothing left to do"))
    assert before == {path: path.stat().st_mtime_ns for path in job.run_dir.rglob("*")}


@pytest.mark.e2e
def test_what_stops_a_reference_is_raised(job: TrainJob, tmp_path: Path) -> None:
    from dataclasses import replace

    from ftbench.errors import MissingResource

    (tmp_path / "logs").mkdir()
    lost = replace(job, run_config={**job.run_config, "store": str(tmp_path)}, run_dir=tmp_path, logs=tmp_path / "logs")
    with pytest.raises(MissingResource, match="some/model"):
        references.train_references(lost, ["centralised", "local-0"], lambda: None)
