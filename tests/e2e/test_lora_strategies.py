"""FLoRA, FFA-LoRA and FlexLoRA with mixed ranks on micro studies: whole runs that verify, and what sets them apart."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy
import pytest
from safetensors.numpy import load_file

from ftbench import builtin
from ftbench.run.engines.engine import TrainJob
from ftbench.run.engines.inline import InlineEngine

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

RANKS = "micro/finance-mixed-ranks"
STRATEGIES = "micro/finance-strategies"
FULL = 139_264
"""Bytes of an adapter of rank 8."""
ASKED, ROUNDS = 7, 6
"""Clients asked in a round of the study of strategies, and its rounds."""


def said(*arguments: str | Path) -> dict[str, Any]:
    command = [sys.executable, "-m", "ftbench", *map(str, arguments), "--json"]
    done = subprocess.run(command, capture_output=True, check=False, text=True, timeout=900)
    assert done.returncode == 0, done.stdout + done.stderr
    return dict(json.loads(done.stdout))


def played(study: str, out: Path, *sets: str) -> Path:
    """The bundle of a run that verifies up to RESCORED."""
    done = said(
        "run", study, "--engine", "inline", "--seed", "1", "--out", out, *(w for s in sets for w in ("--set", s))
    )
    bundle = Path(done["bundle"])
    said("verify", bundle, "--spec", builtin.specs()[study], "--require", "RESCORED")
    return bundle


def rounds(ledger: Path) -> list[dict[str, Any]]:
    bodies = [json.loads(line)["body"] for line in ledger.read_bytes().splitlines()]
    return [body for body in bodies if body["event"] == "round"]


def test_small_clients_send_less_and_learn_slower(tmp_path: Path) -> None:
    """Ranks 8, 4, 2 and 1 against 8 for all: validation loss 0.273 and 0.172 after six rounds, 47 % of the bytes."""
    bundle = played(RANKS, tmp_path)
    mixed = rounds(bundle / "ledger.jsonl")
    ranks = [8, 4, 2, 1]
    for body in mixed:
        assert body["bytes_down"] == body["bytes_up"] == sum(FULL // 8 * ranks[k] for k in body["sampled"])

    run_dir = tmp_path / "even"
    (run_dir / "logs").mkdir(parents=True)
    compiled = bundle.parent / "compiled"
    settings = {"store": str(builtin.store()), "run-dir": str(run_dir), "seed": 1, "adapter.client_ranks": "null"}
    InlineEngine().train(TrainJob(compiled, settings, run_dir, run_dir / "logs", clients=4), lambda: None)
    even = rounds(run_dir / "ledger.jsonl")
    assert all(body["bytes_down"] == 2 * FULL for body in even)
    assert [body["sampled"] for body in even] == [body["sampled"] for body in mixed]
    last = mixed[-1]["validation_loss"] / even[-1]["validation_loss"]
    assert 1.2 < last < 2.5, last


@pytest.fixture(scope="module")
def stacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return played(STRATEGIES, tmp_path_factory.mktemp("flora"), "strategy.kind=flora")


def test_flora_s_stack_runs_to_a_verified_bundle(stacked: Path) -> None:
    """All 42 replies are in the adapter that is scored: rank 8 · 42, loaded with a scale of 1."""
    bundle = stacked
    for number, body in enumerate(rounds(bundle / "ledger.jsonl")):
        assert body["bytes_down"] == ASKED * ASKED * number * FULL
        assert body["bytes_up"] == ASKED * FULL
    config = json.loads((bundle / "adapter" / "adapter_config.json").read_bytes())
    assert config["r"] == config["lora_alpha"] == 8 * ASKED * ROUNDS
    result = json.loads((bundle / "result.json").read_bytes())
    assert result["cost"]["trainable_parameters"] == FULL // 4
    assert result["scores"]["difference"]["interval"]["low"] > 0


def test_ffa_lora_moves_half_as_much_and_both_end_elsewhere(stacked: Path, tmp_path: Path) -> None:
    """Of the weights' change, as whole matrices: how far each ends from FedAvg's."""
    plain = played(STRATEGIES, tmp_path / "fedavg", "strategy.kind=fedavg")
    frozen = played(STRATEGIES, tmp_path / "ffa-lora", "strategy.kind=ffa-lora")
    moved = [sum(body["bytes_down"] for body in rounds(b / "ledger.jsonl")) for b in (plain, frozen)]
    assert 0.5 < moved[1] / moved[0] < 0.56  # the layers are not all square
    for other in (frozen, stacked):
        assert apart(other, plain) > 0.1


def apart(one: Path, other: Path) -> float:
    """‖s B A − s′ B′ A′‖ / ‖s′ B′ A′‖ over all modules."""
    first, second = changes(one), changes(other)
    away = sum(((first[name] - second[name]) ** 2).sum() for name in second)
    return float(numpy.sqrt(away / sum((change**2).sum() for change in second.values())))


def changes(bundle: Path) -> dict[str, Any]:
    """What the adapter adds to each weight."""
    config = json.loads((bundle / "adapter" / "adapter_config.json").read_bytes())
    tensors = load_file(str(bundle / "adapter" / "adapter_model.safetensors"))
    return {
        name: config["lora_alpha"] / config["r"] * tensors[name.replace("lora_A", "lora_B")].astype("f8") @ array
        for name, array in tensors.items()
        if ".lora_A." in name
    }
