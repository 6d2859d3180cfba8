"""How a simulation deals out devices and cores, and what reaches Flower of it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ftbench.cli.main import run
from ftbench.errors import InvalidInput
from ftbench.run.engines import resources
from ftbench.run.engines.engine import TrainJob
from ftbench.run.engines.flower_link import federation
from ftbench.run.rundir import RunSettings
from ftbench.run.runner import _Start


def settings(client_gpus: float | None = None, client_cpus: int = 1) -> RunSettings:
    return RunSettings(
        spec_hash="0" * 64,
        engine="flower-simulation",
        stores=[],
        client_cpus=client_cpus,
        client_gpus=client_gpus,
        micro_batch=0,
        smoke=False,
        unpinned=False,
        round_timeout=1.0,
        token="t",
    )


@pytest.mark.parametrize(
    ("asked", "devices", "each", "dealt", "places"),
    [
        (None, 0, 0.0, 0, 1),
        (None, 1, 0.0, 0, 1),  # as ever: the one process sees the one device
        (None, 4, 1.0, 4, 4),
        (1.0, 1, 1.0, 1, 1),
        (0.5, 1, 0.5, 1, 2),
        (0.1, 2, 0.1, 2, 20),
        (0.3, 2, 0.3, 2, 6),  # three on each device, and a tenth of each idle
        (0.6, 4, 0.6, 4, 4),
        (2.0, 4, 2.0, 4, 2),
        (2.0, 5, 2.0, 5, 2),
    ],
)
def test_devices_and_places(asked: float | None, devices: int, each: float, dealt: int, places: int) -> None:
    names = [f"device {number}" for number in range(devices)]
    wanted = settings(asked)
    assert resources.client_gpus(wanted, names) == each
    assert resources.gpus(wanted, names) == dealt
    assert resources.places(wanted, names) == places
    resources.check_resources(wanted, lambda: names)


@pytest.mark.parametrize(("asked", "devices", "said"), [(0.5, 0, "there is none"), (3.0, 2, "there are 2")])
def test_more_than_there_is_is_refused(asked: float, devices: int, said: str) -> None:
    with pytest.raises(InvalidInput, match=f"FTB531 a client is to have {asked:g} CUDA devices, but {said}"):
        resources.check_resources(settings(asked), lambda: ["device"] * devices)


def job(**more: Any) -> TrainJob:
    return TrainJob(Path(), {}, Path(), Path(), clients=10, **more)


def test_what_flower_is_told() -> None:
    cpu = "num-supernodes=10 client-resources-num-cpus=1 client-resources-num-gpus=0.0 init-args-num-cpus=2"
    assert federation(job(workers=2)) == cpu
    told = federation(job(workers=4, client_cpus=3, client_gpus=0.5, gpus=2))
    assert told == (
        "num-supernodes=10 client-resources-num-cpus=3 client-resources-num-gpus=0.5 "
        "init-args-num-cpus=12 init-args-num-gpus=2"
    )


def test_cores_bound_the_workers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("ftbench.parallel.cores", lambda: 16)
    monkeypatch.setattr("psutil.virtual_memory", lambda: SimpleNamespace(available=2**40))
    store = SimpleNamespace(model_digest=lambda ref: "d", model_path=lambda digest: tmp_path)

    def workers(sampled: int, devices: int = 0, **more: Any) -> int:
        start: Any = SimpleNamespace(
            settings=settings(**more), devices=["device"] * devices, store=store, entry=SimpleNamespace(model="m")
        )
        return _Start._workers(start, sampled)

    assert workers(100) == 16
    assert workers(3) == 3
    assert workers(100, client_cpus=5) == 3
    assert workers(100, client_cpus=32) == 1
    assert workers(100, devices=2) == 2
    assert workers(100, devices=2, client_gpus=0.25) == 8
    assert workers(5, devices=2, client_gpus=0.25) == 5


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--superlink", "lab", "--engine", "inline"], "an engine of its own"),
        (["--superlink", "lab", "--client-gpus", "1"], "for Flower's simulation"),
        (["--engine", "inline", "--client-cpus", "2"], "for Flower's simulation"),
        (["--client-gpus", "1.5"], "a share from above 0 to 1, or a whole number"),
        (["--client-gpus", "0"], "a share from above 0 to 1, or a whole number"),
        (["--client-gpus", "nan"], "a share from above 0 to 1, or a whole number"),
        (["--eval-workers", "0"], "--eval-workers"),
    ],
)
def test_what_cannot_be_asked_for(capsys: pytest.CaptureFixture[str], words: list[str], said: str) -> None:
    assert run(["run", "quickstart", *words]) == 2
    assert said in " ".join(capsys.readouterr().err.split())


def test_an_unknown_superlink_is_told_before_anything_is_made(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLWR_HOME", str(tmp_path))
    (tmp_path / "config.toml").write_text('[superlink.lab]\naddress = "127.0.0.1:1"\n')
    assert run(["run", "quickstart", "--superlink", "lap", "--out", str(tmp_path / "runs")]) == 3
    assert "did you mean `lab`" in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()
