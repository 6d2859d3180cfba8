"""How many clients train together on a device, and which grid a worker takes for them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ftbench import builtin
from ftbench.api import load_spec
from ftbench.data.store import Store
from ftbench.run import together
from ftbench.run.engines import devices, inline_worker
from ftbench.spec.model import BaseModelRef, Spec

MODEL = {"name": "HuggingFaceTB/SmolLM2-135M-Instruct", "revision": "12fd25f77366fa6b3b4b768ec3050bf629380bac"}


def spec(name: str) -> Spec:
    return load_spec(builtin.root() / "specs" / f"{name}.yaml").spec


def chosen(**base: str) -> Spec:
    made = spec("finance")
    return made.model_copy(update={"model": made.model.model_copy(update={"base": BaseModelRef(**{**MODEL, **base})})})


def asked(number: int, free: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, made: Spec) -> tuple[int, str]:
    said: list[str] = []
    monkeypatch.setattr(together, "free_bytes", lambda: free)
    return together.clients(number, made, 0, Store([tmp_path]), said.append), " ".join(said)


def test_as_many_as_are_asked_for_or_as_memory_allows(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    made = chosen()
    most = max(1, int(made.federation.sampling.fraction * made.federation.clients + 0.5))
    assert most > 2
    assert asked(0, 2**40, monkeypatch, tmp_path, made) == (1, "")
    assert asked(2, 0, monkeypatch, tmp_path, made) == (2, "")
    assert asked(999, 0, monkeypatch, tmp_path, made) == (most, "")
    assert asked(together.AUTO, 2**40, monkeypatch, tmp_path, made)[0] == most
    number, said = asked(together.AUTO, 0, monkeypatch, tmp_path, made)
    assert number == 1
    assert "0.0 GiB of free device memory" in said
    fitting = [asked(together.AUTO, gib * 2**30, monkeypatch, tmp_path, made)[0] for gib in (4, 8, 16, 32, 64)]
    assert fitting == sorted(fitting)


def test_a_model_of_which_nothing_is_known_goes_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    number, said = asked(together.AUTO, 2**40, monkeypatch, tmp_path, chosen(name="builtin/nobody"))
    assert number == 1
    assert "not known" in said


@pytest.mark.parametrize(("told", "free"), [("123", 123), ("null", 0), ("", 0), ('["a"]', 0)])
def test_free_memory_is_asked_of_torch(monkeypatch: pytest.MonkeyPatch, told: str, free: int) -> None:
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: SimpleNamespace(stdout=told.encode()))
    assert devices.free_bytes() == free


@pytest.mark.parametrize(
    ("processes", "device", "able", "grid"),
    [
        (1, True, True, "InlineGrid"),
        (3, False, True, "ProcessGrid"),
        (3, True, True, "TogetherGrid"),
        (3, True, False, "InlineGrid"),
    ],
)
def test_the_grid_that_fits_the_device(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, processes: int, device: bool, able: bool, grid: str
) -> None:
    seen: list[str] = []
    client = SimpleNamespace(app=None, **({"train_together": lambda *_: []} if able else {}))
    server = SimpleNamespace(app=lambda made, _: seen.append(type(made).__name__))
    for name, module in {"server_app": server, "client_app": client}.items():
        monkeypatch.setitem(sys.modules, f"{inline_worker.PACKAGE}.{name}", module)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(inline_worker, "fused_config", lambda *_: {})
    monkeypatch.setattr(inline_worker, "_on_a_device", lambda: device)
    inline_worker.run(tmp_path, {}, 4, processes)
    assert seen == [grid]


@pytest.mark.slow
def test_the_benchmark_of_clients_together_ends_on_a_cpu(tmp_path: Path) -> None:
    root = builtin.root()
    command = [sys.executable, str(root / "benchmarks" / "gpu.py"), "--together", "2", "--shape", "tiny"]
    command += ["--rows", "3", "--out", str(tmp_path / "out.json")]
    subprocess.run(command, check=True, timeout=300)
    found: dict[str, Any] = json.loads((tmp_path / "out.json").read_text())
    assert found["rows"][0]["adapters_apart_of_moved"] < 1e-3
    assert found["rows"][0]["clients"] == 2
