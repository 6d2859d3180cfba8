"""The micro study of strategies: verified bundles, twice the traffic for SCAFFOLD, no kind that is only FedAvg."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy
import pytest
from effort import times
from safetensors.numpy import load_file

from ftbench import builtin

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

STUDY = "micro/finance-strategies"
ADAPTIVE = ["strategy.server_learning_rate=0.02", "strategy.tau=0.001"]
KINDS: dict[str, list[str]] = {
    "fedprox": ["strategy.mu=1"],
    "fedavgm": ["strategy.server_learning_rate=1", "strategy.momentum=0.5"],
    "fedadam": [*ADAPTIVE, "strategy.beta1=0.9", "strategy.beta2=0.99"],
    "fedyogi": [*ADAPTIVE, "strategy.beta1=0.9", "strategy.beta2=0.99"],
    "fedadagrad": ["strategy.server_learning_rate=0.05", "strategy.tau=0.001"],
    "flexlora": [],
    "fedmedian": [],
    "fedtrimmedavg": ["strategy.trim=0.2"],
    "krum": ["strategy.byzantine=1"],
    "multikrum": ["strategy.byzantine=1", "strategy.keep=3"],
}


def played(out: Path, kind: str, *parameters: str) -> dict[str, Any]:
    """Run, verify up to RESCORED, and return the result; the adapter lies beside it."""
    sets = [f"strategy.kind={kind}", *parameters]
    done = said("run", STUDY, "--engine", "inline", "--out", out / kind, *(word for s in sets for word in ("--set", s)))
    bundle = Path(done["bundle"])
    said("verify", bundle, "--spec", builtin.specs()[STUDY], "--require", "RESCORED")
    found: dict[str, Any] = json.loads((bundle / "result.json").read_bytes())
    found["tensors"] = load_file(str(bundle / "adapter" / "adapter_model.safetensors"))
    return found


def said(*arguments: str | Path) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "ftbench", *map(str, arguments), "--json"],
        capture_output=True,
        check=False,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return dict(json.loads(done.stdout))


def apart(one: dict[str, Any], other: dict[str, Any]) -> float:
    """‖B A − B′ A′‖ / ‖B′ A′‖ over all modules."""
    first, second = ({n: products(t, n) for n in t if ".lora_A." in n} for t in (one["tensors"], other["tensors"]))
    away = sum(((first[name] - second[name]) ** 2).sum() for name in second)
    return float(numpy.sqrt(away / sum((product**2).sum() for product in second.values())))


def products(tensors: dict[str, Any], name: str) -> Any:
    return tensors[name.replace("lora_A", "lora_B")].astype("f8") @ tensors[name].astype("f8")


def test_scaffold_runs_to_a_verified_bundle_with_twice_the_traffic(tmp_path: Path) -> None:
    result = played(tmp_path, "scaffold", "strategy.server_learning_rate=1")
    cost = result["cost"]
    sent = 7 * cost["rounds"] * 4 * cost["trainable_parameters"]
    assert cost["bytes_down"] == cost["bytes_up"] == 2 * sent


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return played(tmp_path_factory.mktemp("plain"), "fedavg")


@pytest.mark.parametrize("kind", list(KINDS)[:: times(3, 1)])
def test_another_kind_does_and_ends_somewhere_else(kind: str, plain: dict[str, Any], tmp_path: Path) -> None:
    """Each kind's arithmetic has tests of its own (tests/app); here are whole runs of some, of all at length."""
    assert apart(played(tmp_path, kind, *KINDS[kind]), plain) > 0.05, kind
