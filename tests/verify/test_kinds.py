"""Kinds of adapters and strategies, knobs that are not used, programs where there is no sandbox."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import forge
import pytest

from ftbench.data import digests, outlines
from ftbench.result import adapter, names
from ftbench.result.documents import Answer, Sample, Verdict
from ftbench.spec.model import Adapter
from ftbench.spec.tasks import CodeTask
from ftbench.verify import base
from ftbench.verify.checks import programs_rerun
from ftbench.verify.checks.adapter_config import expected
from ftbench.verify.targets import is_target


def outcome(verdict: Verdict, check: str) -> str:
    return next(found.outcome for found in verdict.checks if found.check == check)


def evidence(verdict: Verdict, check: str) -> str:
    return next(found.evidence for found in verdict.checks if found.check == check)


@pytest.fixture(scope="module")
def dora(tmp_path_factory: pytest.TempPathFactory) -> forge.World:
    """A benchmark with DoRA, FedAdam whose parameters are knobs, the last round scored, and no code task."""

    def change(value: dict[str, Any]) -> None:
        value["adapter"]["kind"] = "dora"
        value["strategy"] = {"kind": "fedadam", "server_learning_rate": 0.1, "beta1": 0.9, "beta2": 0.99, "tau": 0.001}
        value["evaluation"] |= {"checkpoint": "last", "references": {}}
        value["evaluation"]["tasks"] = value["evaluation"]["tasks"][:1]
        value["data"]["validation"] = None
        value["knobs"] |= {
            "strategy.kind": {"choices": ["fedavg", "fedprox", "fedadam"]},
            "strategy.mu": {"min": 0.001, "max": 10},
            "strategy.tau": {"min": 0.0001, "max": 1},
        }

    return forge.make_world(tmp_path_factory.mktemp("dora"), change)


@pytest.fixture
def told(dora: forge.World) -> forge.Forged:
    """A genuine bundle of that benchmark."""
    made = forge.make(dora)
    made.keep = {"checkpoint"}
    with made.result() as result, made.lines() as lines:
        result |= {"checkpoint_round": 4, "references": {}, "sandbox": None}
        for line in lines:
            if line["body"]["event"] == "round":
                line["body"]["validation_loss"] = None
        lines[-1]["body"]["round"] = 4
    with made.samples("jars") as answers:
        for sample in answers:
            sample["references"] = {}
    # FedAdam makes something else of a single reply than the reply.
    with made.round(2) as body:
        body["adapter"] = "5" * 64
    with made.round(3) as body:
        body["adapter"] = "7" * 64
    forge.reseal(made)
    return made


def test_dora_with_fedadam_is_accepted(dora: forge.World, told: forge.Forged) -> None:
    verdict = dora.verdict(told.files)
    assert verdict.accepted, [(c.check, c.evidence) for c in verdict.checks if c.outcome != "passed"]
    assert "mean" not in evidence(verdict, "averaging")
    assert evidence(verdict, "programs-rerun") == "no task has programs"
    assert evidence(verdict, "checkpoint-chosen") == "round 4, the last"


def edit_tensors(made: forge.Forged, change: Any) -> None:
    tensors = adapter.read_tensors(made.files[names.ADAPTER], "adapter")
    change(tensors)
    made.files[names.ADAPTER] = adapter.write_tensors(tensors)
    with made.lines() as lines:
        lines[0]["body"]["trainable_parameters"] = adapter.parameters(tensors)
    forge.reseal(made)


def test_a_magnitude_that_is_missing(dora: forge.World, told: forge.Forged) -> None:
    name = f"base_model.model.{forge.MODULES[0]}.lora_magnitude_vector"
    edit_tensors(told, lambda tensors: tensors.pop(name))
    assert "has not one magnitude" in evidence(dora.verdict(told.files), "adapter-shape")


def test_a_magnitude_of_another_size(dora: forge.World, told: forge.Forged) -> None:
    name = f"base_model.model.{forge.MODULES[0]}.lora_magnitude_vector"
    edit_tensors(told, lambda tensors: tensors.update({name: adapter.Tensor((4,), bytes(16))}))
    assert "has not one magnitude" in evidence(dora.verdict(told.files), "adapter-shape")


def test_lora_has_no_magnitudes(world: forge.World, genuine: forge.Forged) -> None:
    name = f"base_model.model.{forge.MODULES[0]}.lora_magnitude_vector"
    edit_tensors(genuine, lambda tensors: tensors.update({name: adapter.Tensor((8,), bytes(32))}))
    assert "has a magnitude, which LoRA has not" in evidence(world.verdict(genuine.files), "adapter-shape")


def test_a_reference_that_nobody_asked_for(dora: forge.World, told: forge.Forged) -> None:
    with told.result() as result:
        result["references"] = {"centralised": "6" * 64}
    forge.reseal(told)
    assert outcome(dora.verdict(told.files), "references-named") == "failed"


def test_a_sandbox_where_there_are_no_programs(dora: forge.World, told: forge.Forged) -> None:
    with told.result() as result:
        result["sandbox"] = "bubblewrap"
    forge.reseal(told)
    verdict = dora.verdict(told.files)
    assert (outcome(verdict, "programs-rerun"), verdict.level) == ("failed", "CONFORMS")


def test_configuration_of_a_group(genuine: forge.Forged) -> None:
    entry = forge.parse_resolved(genuine.files[names.ENTRY])
    block = Adapter(kind="dora", rank=2, alpha=4.0, dropout=0.0, targets="attention")
    config = expected(block, entry, ["model.layers.0.self_attn.v_proj", "model.layers.1.self_attn.q_proj"])
    assert (config["target_modules"], config["use_dora"]) == (["q_proj", "v_proj"], True)
    assert is_target("model.layers.0.mlp.up_proj", "mlp") and not is_target("model.layers.0.mlp.up_proj", "attention")
    assert is_target("x.fc", ["fc"]) and not is_target("x.xfc", ["fc"]) and is_target("anything", "all-linear")


def test_the_configuration_is_the_apps(genuine: forge.Forged) -> None:
    """Two hands, one rule: what the app writes is what the verifier expects."""
    import json

    from ftbench.app import adapter_files

    entry = forge.parse_resolved(genuine.files[names.ENTRY])
    modules = ["model.layers.0.self_attn.v_proj", "model.layers.1.mlp.up_proj"]
    tensors = [f"base_model.model.{module}.lora_A.weight" for module in modules]
    for kind in ("lora", "dora"):
        for targets in ("all-linear", "attention", "mlp", ["v_proj", "up_proj"]):
            block = {"kind": kind, "rank": 2, "alpha": 4.0, "dropout": 0.0, "targets": targets}
            written = adapter_files.config_bytes(block, entry.model.model_dump(), tensors)
            assert json.loads(written) == expected(Adapter.model_validate(block), entry, modules)


@pytest.mark.parametrize("told", [{"quantization_config": {}}, {}])
def test_packed_weights_are_not_counted(tmp_path: Path, told: dict[str, Any]) -> None:
    import json

    (tmp_path / "config.json").write_text(json.dumps({"model_type": "llama", **told}))
    (tmp_path / "model.safetensors").write_bytes(adapter.write_tensors({"w": adapter.Tensor((1,), bytes(4))}))
    outline = outlines.of_folder(tmp_path, digests.model_files(tmp_path))
    assert base.read(outline).packed == bool(told)


def test_without_a_sandbox_the_level_stays_and_says_why(
    world: forge.World, genuine: forge.Forged, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(programs_rerun.programs, "missing", lambda *_, **__: "python: bwrap is not installed")
    verdict = world.verdict(genuine.files)
    assert (verdict.level, outcome(verdict, "programs-rerun")) == ("CONFORMS", "not-run")
    assert "bwrap is not installed" in evidence(verdict, "programs-rerun")
    assert all(c.outcome == "passed" for c in verdict.checks if c.check != "programs-rerun")


def test_programs_run_without_a_sandbox_are_told(world: forge.World, genuine: forge.Forged) -> None:
    with genuine.result() as result:
        result["sandbox"] = "none"
    forge.reseal(genuine)
    verdict = world.verdict(genuine.files)
    assert verdict.accepted
    assert evidence(verdict, "programs-rerun") == (
        "12 programs run again in bubblewrap: 6 failed, 6 passed; the submitter ran them without a sandbox"
    )


SPIN = """import time
def f():
    end = time.process_time() + {seconds}
    while time.process_time() < end: pass
    return 1
"""


@pytest.mark.parametrize(
    ("seconds", "claim", "accepted"),
    [
        (0.0, {"passed": False, "status": "timeout"}, False),  # a lie: it takes no time at all
        (0.7, {"passed": False, "status": "timeout"}, True),  # a slower machine may have stopped it
        (1.6, {"passed": True, "status": "passed"}, True),  # a faster one may have let it pass
        (30.0, {"passed": True, "status": "passed"}, False),
    ],
)
def test_the_speed_of_machines_may_differ(
    world: forge.World, seconds: float, claim: dict[str, Any], accepted: bool
) -> None:
    """One second is the limit."""
    task = next(t for t in world.spec.evaluation.tasks if isinstance(t, CodeTask)).model_copy(
        update={"cpu_seconds": 1.0}
    )
    told = Answer(text=SPIN.replace("{seconds}", str(seconds)), **claim)
    sample = Sample(index=1, item="0" * 64, prompt="", options=[], target=None, untuned=told, tuned=told)
    context: Any = SimpleNamespace(
        samples={task.name: [sample]}, plan=world.compiled.plan, store=world.store, spec=world.spec, rows={}
    )
    problems, ran = programs_rerun._task(context, task)
    assert (not problems, len(ran)) == (accepted, 2)
