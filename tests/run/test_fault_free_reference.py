"""The run without faults: trained as a federation of its own, recorded, and what the faults cost is told."""

from __future__ import annotations

from pathlib import Path

import pytest
from runner_world import ZERO, World

from ftbench import builtin
from ftbench.compile.compiler import Compiled, compile_spec
from ftbench.result.references import due_references
from ftbench.run import summary
from ftbench.spec.entries import resolve_entry
from ftbench.spec.load import load_pins, load_spec
from ftbench.spec.model import Spec


@pytest.fixture(scope="module")
def compiled() -> Compiled:
    path = builtin.specs()["quickstart"]
    tree = load_spec(path).spec.model_dump(mode="json")
    tree["evaluation"]["references"] = {"local": True, "centralised": True, "fault_free": True}
    tree["faults"] = {"byzantine": {"clients": 2, "attack": "scale", "strength": 2.0}}
    return compile_spec(Spec.model_validate(tree), load_pins(path))


@pytest.fixture
def world(tmp_path: Path, compiled: Compiled, monkeypatch: pytest.MonkeyPatch) -> World:
    made = World(tmp_path, compiled, resolve_entry(compiled.plan.typed_spec(), None))
    made.put_in(monkeypatch)
    return made


def test_it_stands_between_the_other_references(compiled: Compiled) -> None:
    assert due_references(compiled.plan.typed_spec()) == [
        "centralised",
        "fault-free",
        "local-0",
        "local-1",
        "local-2",
        "local-3",
    ]


def test_it_is_trained_with_all_clients_and_recorded(world: World) -> None:
    outcome = world.start()
    assert [config["reference"] for config in world.app.starts[0]] == ["centralised", "fault-free", *["local"] * 4]
    assert world.app.clients == [1, 4, 1, 1, 1, 1]
    assert outcome.result.references["fault-free"] == ZERO
    assert (outcome.run_dir / "references" / "fault-free" / "ledger.jsonl").is_file()
    robustness = outcome.result.scores.robustness
    assert robustness is not None and (robustness.value, robustness.lost, robustness.gained) == (0, 0, 0)
    told = dict(summary.rows(outcome))
    assert told["fault-free"].startswith("100.0 %")
    assert told["under faults"].startswith("+0.0 points") and told["under faults"].endswith(
        "against the same run without"
    )
    assert (outcome.result.exclusions, outcome.result.planned_exclusions) == (2, 0)
