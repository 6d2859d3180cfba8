"""The compiled quickstart through the inline engine, in a process of its own."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from ftbench import builtin
from ftbench.errors import InvalidInput, MissingResource
from ftbench.run.engines.engine import TrainJob
from ftbench.run.engines.inline import InlineEngine
from ftbench.run.engines.inline_worker import fused_config

RANK = 2
ROUNDS = 2


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from ftbench.compile.compiler import compile_spec
    from ftbench.spec.load import load_pins, load_spec

    path = builtin.specs()["quickstart"]
    folder = tmp_path_factory.mktemp("compiled")
    for name, data in compile_spec(load_spec(path).spec, load_pins(path)).files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def job(compiled: Path, run_dir: Path, **config: Any) -> TrainJob:
    (run_dir / "logs").mkdir(parents=True, exist_ok=True)
    settings = {"store": str(builtin.store()), "run-dir": str(run_dir), "smoke": True, **config}
    return TrainJob(compiled, settings, run_dir, run_dir / "logs", clients=4)


def ledger(run_dir: Path) -> list[dict[str, Any]]:
    path = run_dir / "ledger.jsonl"
    return [json.loads(line)["body"] for line in path.read_bytes().splitlines()] if path.exists() else []


class Enough(Exception):
    pass


@pytest.mark.e2e
def test_interrupted_and_resumed_under_another_hash_seed(
    compiled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = sorted(path for path in compiled.rglob("*"))
    settings = {"smoke": False, "federation.rounds": ROUNDS, "adapter.rank": RANK}
    monkeypatch.setenv("PYTHONHASHSEED", "1")
    ticks: list[int] = []
    InlineEngine().train(job(compiled, tmp_path / "whole", **settings), lambda: ticks.append(0))
    assert ticks

    def once_a_round_is_there() -> None:
        if len(ledger(tmp_path / "cut")) > 1:
            raise Enough

    monkeypatch.setenv("PYTHONHASHSEED", "2")
    with pytest.raises(Enough):
        InlineEngine().train(job(compiled, tmp_path / "cut", **settings), once_a_round_is_there)
    before = ledger(tmp_path / "cut")
    InlineEngine().train(job(compiled, tmp_path / "cut", resume=True, **settings), lambda: None)
    assert ledger(tmp_path / "cut")[: len(before)] == before
    assert ledger(tmp_path / "cut")[-1] == ledger(tmp_path / "whole")[-1]
    assert files == sorted(path for path in compiled.rglob("*"))  # a frozen app stays as it was compiled


@pytest.mark.e2e
def test_what_the_app_says_is_raised(compiled: Path, tmp_path: Path) -> None:
    with pytest.raises(MissingResource) as missing:
        InlineEngine().train(job(compiled, tmp_path / "a", store=str(tmp_path)), lambda: None)
    assert missing.value.diagnostics[0].code == "FTB546"
    with pytest.raises(InvalidInput) as refused:
        InlineEngine().train(job(compiled, tmp_path / "b", **{"spec-hash": "0" * 64}), lambda: None)
    assert refused.value.diagnostics[0].code == "FTB542"


def test_the_config_is_flower_s(compiled: Path) -> None:
    from flwr.common.config import get_fused_config_from_dir

    overrides = {"adapter.rank": 4, "store": "/x"}
    assert fused_config(compiled / "app", overrides) == get_fused_config_from_dir(compiled / "app", overrides)
    with pytest.raises(ValueError, match="no-such-key"):
        fused_config(compiled / "app", {"no-such-key": 1})


def test_the_worker_ends_when_its_starter_does(compiled: Path, tmp_path: Path) -> None:
    from ftbench.run.engines.inline import launch

    process = launch(compiled, [({}, 4)], tmp_path / "inline.log")
    assert process.stdin is not None
    process.stdin.close()
    assert process.wait(60) in (1, 3)
    with pytest.raises(ProcessLookupError):
        os.kill(process.pid, 0)
