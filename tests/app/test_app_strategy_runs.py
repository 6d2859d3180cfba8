"""Strategies in whole runs of the tiny benchmark: state in the commit, resumed alike, each with its own effect."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy
import pytest
from safetensors.numpy import load_file

from ftbench.app import initial, ledger, settings, strategy, worker
from ftbench.app.errors import AppError
from ftbench.result.documents import LedgerLine

MakeBench = Callable[..., Any]
BLOCKS: dict[str, dict[str, Any]] = {
    "fedavg": {},
    "fedprox": {"mu": 1.0},
    "fedavgm": {"momentum": 0.9, "server_learning_rate": 1.0},
    "fedadam": {"server_learning_rate": 0.01, "beta1": 0.9, "beta2": 0.99, "tau": 0.001},
    "fedyogi": {"server_learning_rate": 0.01, "beta1": 0.9, "beta2": 0.99, "tau": 0.001},
    "fedadagrad": {"server_learning_rate": 0.01, "tau": 0.001},
    "scaffold": {"server_learning_rate": 1.0},
    "flexlora": {},
    "fedmedian": {},
    "fedtrimmedavg": {"trim": 0.2},
    "krum": {"byzantine": 1},
    "multikrum": {"byzantine": 1, "keep": 3},
}
KINDS = sorted(BLOCKS)
"""Those whose adapters are of another shape have modules of their own."""
ROBUST = ("fedmedian", "fedtrimmedavg", "krum", "multikrum")
STATEFUL = ("fedadagrad", "fedadam", "fedavgm", "fedyogi", "scaffold")
FIVE = {"federation.clients": 5, "federation.sampling.fraction": 1.0, "federation.min_replies": 5}


def changes(kind: str) -> dict[str, Any]:
    block = {f"strategy.{name}": value for name, value in {"kind": kind, **BLOCKS[kind]}.items()}
    return {**block, **FIVE} if kind in ROBUST else block


def final(bench: Any) -> dict[str, Any]:
    return load_file(str(bench.run_dir / "adapter" / "adapter_model.safetensors"))


@pytest.mark.parametrize("kind", KINDS)
def test_a_killed_run_ends_at_the_same_adapter(
    make_bench: MakeBench, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    whole = make_bench(changes(kind), name="whole")
    whole.play()
    cut = make_bench(changes(kind), name="cut")
    append = ledger.append_line

    def killed(path: Path, line: bytes) -> None:
        if b'"round":3,' in line:
            raise KeyboardInterrupt  # all that the line names is on disk, the line is not
        append(path, line)

    with monkeypatch.context() as patch:
        patch.setattr(ledger, "append_line", killed)
        with pytest.raises(KeyboardInterrupt):
            cut.play()
    cut.play(resume=True)
    rounds = [[body for body in bench.ledger if body["event"] in ("round", "finished")] for bench in (whole, cut)]
    assert rounds[0] == rounds[1]
    states = [body["strategy_state"] for body in rounds[0][:-1]]
    assert all(states) if kind in STATEFUL else not any(states)
    for line in (cut.run_dir / "ledger.jsonl").read_text().splitlines():
        LedgerLine.model_validate_json(line)
    # Only the last state is kept beside the adapters.
    kept = {path.stem for path in (cut.run_dir / "state").iterdir()}
    adapters = {body["adapter"] for body in cut.ledger if "adapter" in body}
    assert kept - adapters == {state for state in states[-1:] if state}


@pytest.mark.parametrize("kind", STATEFUL)
def test_a_damaged_state_is_not_gone_on_from(make_bench: MakeBench, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    bench = make_bench(changes(kind))
    with monkeypatch.context() as patch:
        patch.setattr(worker, "train", stop_after(1))
        with pytest.raises(KeyboardInterrupt):
            bench.play()
    name = bench.ledger[-1]["strategy_state"]
    path = bench.run_dir / "state" / f"{name}.safetensors"
    data = path.read_bytes()
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(AppError, match="digest"):
        bench.play(resume=True)


def stop_after(rounds: int, real: Any = worker.train) -> Any:
    def train(*arguments: Any, **more: Any) -> Any:
        if more["round_number"] > rounds:
            raise KeyboardInterrupt
        return real(*arguments, **more)

    return train


def test_every_strategy_ends_somewhere_else(make_bench: MakeBench) -> None:
    """No kind is FedAvg under another name: its adapter's product moves measurably away from FedAvg's."""
    ends = {}
    for kind in KINDS:
        bench = make_bench({**changes(kind), **FIVE, "federation.rounds": 2}, name=kind)
        bench.play()
        ends[kind] = final(bench)
    plain = products(ends["fedavg"])
    size = max(abs(product).max() for product in plain)
    for kind, end in ends.items():
        apart = max(abs(product - other).max() for product, other in zip(products(end), plain, strict=True))
        assert (apart / size > 0.01) == (kind != "fedavg"), (kind, apart / size)


def products(arrays: dict[str, Any]) -> list[Any]:
    names = sorted(name for name in arrays if ".lora_A." in name)
    return [arrays[name.replace("lora_A", "lora_B")] @ arrays[name] for name in names]


def test_fedprox_holds_clients_at_the_global_adapter(make_bench: MakeBench) -> None:
    """The nearer the more mu there is; with a mu beyond any gradient a client stays within a step or two."""
    steps, rate = 12, 0.01
    away = []
    for mu in (None, 0.1, 10.0, 1e6):
        kind = {"strategy.kind": "fedprox", "strategy.mu": mu} if mu else {}
        bench = make_bench({**kind, "training.local_steps": steps}, name=f"mu{mu}")
        wanted = settings.read(bench.config, bench.plan)
        start = initial.arrays(bench.world.model_folder, bench.plan.spec, 1)
        reply, _ = worker.train(wanted, 0, 1, rate, start)
        away.append(numpy.sqrt(sum(((reply[n] - start[n]).astype("f8") ** 2).sum() for n in start)))
    largest = max(abs(reply[name] - start[name]).max() for name in start)
    assert largest < rate  # of the twelve steps that it may take
    assert away == sorted(away, reverse=True)
    assert away[-1] < away[0] / 20


def test_the_proximal_term_is_in_the_gradient(make_bench: MakeBench) -> None:
    import torch

    from ftbench.app.training import add_proximal

    now, start = torch.tensor([1.0, 2.0, 3.0], requires_grad=True), torch.tensor([0.5, 2.0, 1.0])
    (4.0 / 2 * ((now - start) ** 2).sum()).backward()
    found = torch.zeros(3)
    add_proximal(found, now.detach(), start, 4.0)
    assert torch.equal(found, now.grad)


def test_the_proximal_term_does_not_depend_on_the_micro_batch(make_bench: MakeBench) -> None:
    found = []
    for size in (0, 1):
        bench = make_bench({"strategy.kind": "fedprox", "strategy.mu": 5.0, "training.local_steps": 6})
        wanted = settings.read({**bench.config, "micro-batch": size}, bench.plan)
        start = initial.arrays(bench.world.model_folder, bench.plan.spec, 1)
        found.append(worker.train(wanted, 0, 1, 0.01, start)[0])
    assert all(numpy.allclose(found[0][name], found[1][name], atol=2e-4) for name in found[0])


KNOBS = {
    "strategy.kind": {"choices": ["fedavg", "fedprox", "fedadam"]},
    "strategy.mu": {"min": 0.001, "max": 10},
    "strategy.server_learning_rate": {"min": 0.001, "max": 1},
    "strategy.beta1": {"free": True},
    "strategy.beta2": {"free": True},
    "strategy.tau": {"choices": [0.001, 0.01]},
}
NONE = {path: "null" for path in KNOBS if path != "strategy.kind"}
ADAM = {"strategy.server_learning_rate": 0.1, "strategy.beta1": 0.9, "strategy.beta2": "0.99", "strategy.tau": 0.01}


@pytest.mark.parametrize(
    ("config", "block"),
    [
        ({}, {"kind": "fedavg"}),
        ({"strategy.kind": "fedprox", "strategy.mu": 0.5}, {"kind": "fedprox", "mu": 0.5}),
        ({"strategy.kind": "fedprox", "strategy.mu": "2"}, {"kind": "fedprox", "mu": 2}),
        (
            {"strategy.kind": "fedadam", **ADAM},
            {"kind": "fedadam", "server_learning_rate": 0.1, "beta1": 0.9, "beta2": 0.99, "tau": 0.01},
        ),
    ],
)
def test_parameters_that_are_not_used_travel_as_null(
    make_bench: MakeBench, config: dict[str, Any], block: dict[str, Any]
) -> None:
    bench = make_bench({"knobs": KNOBS})
    found = settings.read({**bench.config, **NONE, **config}, bench.plan)
    assert {name: value for name, value in found.spec["strategy"].items() if value is not None} == block
    assert json.dumps(found.knobs)
    assert found.knobs["strategy.tau"] == block.get("tau")


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"strategy.mu": 0.5}, "strategy.mu has no effect"),
        ({"strategy.kind": "fedprox"}, "strategy.mu needs a value"),
        ({"strategy.kind": "fedprox", "strategy.mu": 50}, "outside its range"),
        ({"strategy.kind": "fedadam", **ADAM, "strategy.tau": 0.5}, "not allowed"),
        ({"strategy.kind": "flexlora"}, "not allowed"),
    ],
)
def test_parameters_that_do_not_fit_the_kind_are_refused(
    make_bench: MakeBench, config: dict[str, Any], message: str
) -> None:
    bench = make_bench({"knobs": KNOBS})
    with pytest.raises(AppError, match=message):
        settings.read({**bench.config, **NONE, **config}, bench.plan)


def test_a_strategy_that_answers_in_float64_is_told(make_bench: MakeBench, monkeypatch: pytest.MonkeyPatch) -> None:
    """The digest would be the same, the file not."""
    kind = strategy.find_strategy("fedavg")
    real = kind.aggregate

    def aggregate(*given: Any) -> Any:
        new, state = real(*given)
        return {name: array.astype("f8") for name, array in new.items()}, state

    monkeypatch.setattr(kind, "aggregate", aggregate)
    bench = make_bench()
    with pytest.raises(AppError, match="not all float32") as caught:
        bench.play()
    assert caught.value.code == "FTB555"
    assert [line["event"] for line in bench.ledger] == ["started"]
