"""A run's cost beside its estimate."""

from __future__ import annotations

from typing import Any

import pytest

from ftbench.analysis.expected import expected
from ftbench.base_models import from_spec
from ftbench.base_models.catalogue import BaseModel, find_base_model
from ftbench.base_models.estimate import estimate
from ftbench.board.submission import Submission
from ftbench.compile.compiler import compile_spec
from ftbench.compile.plan import Plan
from ftbench.result.documents import ClientMemory, Cost, Environment
from ftbench.spec.entries import resolve_entry
from ftbench.spec.load import find_spec, load_pins, load_spec

PATH = find_spec("quickstart")
PLAN: Plan = compile_spec(load_spec(PATH).spec, load_pins(PATH)).plan
ENTRY = resolve_entry(PLAN.typed_spec(), None, ["adapter.rank=4"])
COST = Cost(
    bytes_down=1000,
    bytes_up=600,
    trainable_parameters=1,
    rounds=1,
    train_seconds=2.0,
    evaluate_seconds=None,
    peak_memory_bytes=None,
    client=ClientMemory(growth_bytes=2**30, micro_batch=1),
)


def submission(cost: Cost, *devices: str) -> Submission:
    result: Any = type("R", (), {"name": "quickstart", "version": "1", "seed": 3, "cost": cost})
    verdict: Any = type("V", (), {"result": result})
    where = Environment(python="", system="", cpu_count=2, devices=list(devices), packages={})
    return Submission("one", verdict, ENTRY, environment=where)


def test_a_run_on_a_cpu() -> None:
    found = expected(submission(COST), PLAN)
    assert (found.device, found.seed, found.name) == ("CPU", 3, ENTRY.metadata.name)
    assert found.train_seconds is None and found.operations_per_second and found.operations_per_second > 0
    assert found.traffic_bytes is not None and found.memory_bytes is not None
    assert (found.traffic_bytes.measured, found.memory_bytes.measured) == (1600, 2**30)
    told = estimate(find_base_model(ENTRY.model.name, ENTRY.model.revision), from_spec.setting(PLAN.typed_spec()))
    # Rank 4 of a spec of another rank, and one example of the batch: both are taken from the run.
    assert found.traffic_bytes.estimated < told.communication.total_bytes
    assert found.memory_bytes.estimated < told.memory_bytes - 512 * 2**20
    exact = COST.model_copy(update={"bytes_down": int(found.traffic_bytes.estimated), "bytes_up": 0})
    again = expected(submission(exact), PLAN).traffic_bytes
    assert again is not None and again.ratio == 1


def test_a_run_on_a_card() -> None:
    client = ClientMemory(allocated_bytes=5, growth_bytes=7, micro_batch=1)
    found = expected(submission(COST.model_copy(update={"client": client}), "NVIDIA H100 80GB HBM3"), PLAN)
    assert found.memory_bytes is not None and found.memory_bytes.measured == 5
    assert found.train_seconds is not None and found.train_seconds.measured == 2.0
    assert found.operations_per_second is not None
    assert found.train_seconds.estimated == pytest.approx(2 * found.operations_per_second / (989e12 * 0.1))
    unknown = expected(submission(COST, "Some card"), PLAN)
    assert unknown.device == "Some card" and unknown.train_seconds is None


def test_what_is_not_known_is_left_out() -> None:
    nothing = COST.model_copy(update={"bytes_down": 0, "bytes_up": 0, "train_seconds": None, "client": None})
    found = expected(submission(nothing), PLAN)
    assert found.traffic_bytes is None and found.memory_bytes is None
    assert found.train_seconds is None and found.operations_per_second is None
    other = ENTRY.model_copy(update={"model": ENTRY.model.model_copy(update={"name": "someone/unknown"})})
    left = Submission("one", submission(COST).verdict, other)
    assert expected(left, PLAN).traffic_bytes is None and expected(left, PLAN).device == "CPU"


def test_a_model_of_somebody_s_own() -> None:
    """It is in no catalogue, but in the store: its runs had no estimate."""
    known, asked = find_base_model(ENTRY.model.name, ENTRY.model.revision), []

    def facts(name: str, revision: str | None) -> BaseModel:
        asked.append((name, revision))
        return known

    assert expected(submission(COST), PLAN, facts).operations_per_second
    assert asked == [(ENTRY.model.name, ENTRY.model.revision)]
