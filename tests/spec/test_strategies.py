"""A strategy's parameters in entries: those of another kind vanish, those that are needed are asked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from ftbench.errors import InvalidInput
from ftbench.spec.entries import apply, check_entry, dump_resolved, load_entry, parse_resolved, resolve_entry
from ftbench.spec.load import load_spec
from ftbench.spec.model import Spec

OPEN = """extends: valid.yaml
metadata: {{name: open}}
federation: {{clients: 6, sampling: {{fraction: 0.5}}, min_replies: 3}}
strategy: {strategy}
knobs:
  training.local_steps: {{min: 1, max: 100}}
  strategy.kind:
    choices: [fedavg, fedprox, fedavgm, fedadam, fedyogi, fedadagrad, scaffold, ffa-lora, flexlora, flora,
      fedmedian, fedtrimmedavg, krum, multikrum]
  strategy.mu: {{min: 0.001, max: 10}}
  strategy.server_learning_rate: {{min: 0.001, max: 10}}
  strategy.momentum: {{min: 0, max: 0.99}}
  strategy.beta1: {{choices: [0.5, 0.9]}}
  strategy.beta2: {{min: 0, max: 0.999}}
  strategy.tau: {{free: true}}
  strategy.trim: {{min: 0.01, max: 0.49}}
  strategy.byzantine: {{min: 0, max: 3}}
  strategy.keep: {{min: 2, max: 5}}
"""
FEDADAM = "{kind: fedadam, server_learning_rate: 0.1, beta1: 0.9, beta2: 0.99, tau: 0.001}"


@pytest.fixture
def specs(tmp_path: Path) -> dict[str, Spec]:
    (tmp_path / "valid.yaml").write_bytes((Path(__file__).parent / "cases" / "valid.yaml").read_bytes())
    made = {}
    for name, strategy in (("fedavg", "{kind: fedavg}"), ("fedadam", FEDADAM)):
        path = tmp_path / f"{name}.yaml"
        path.write_text(OPEN.format(strategy=strategy))
        made[name] = load_spec(path).spec
    return made


def test_what_the_default_kind_does_not_use_is_null(specs: dict[str, Spec]) -> None:
    resolved = resolve_entry(specs["fedavg"], None)
    assert resolved.knobs["strategy.kind"] == "fedavg"
    assert all(resolved.knobs[f"strategy.{name}"] is None for name in ("mu", "momentum", "tau", "beta1"))
    assert apply(specs["fedavg"], resolved) == specs["fedavg"]
    assert parse_resolved(dump_resolved(resolved)) == resolved


def test_another_kind_leaves_the_parameters_of_the_old_one_behind(specs: dict[str, Spec]) -> None:
    spec = specs["fedadam"]
    resolved = resolve_entry(spec, None, ["strategy.kind=fedprox", "strategy.mu=1"])
    strategy = apply(spec, resolved).strategy
    assert (strategy.kind, strategy.mu, strategy.tau, strategy.server_learning_rate) == ("fedprox", 1.0, None, None)
    assert check_entry(spec, resolved) == []
    shared = resolve_entry(spec, None, ["strategy.kind=fedavgm", "strategy.momentum=0.9"])
    assert shared.knobs["strategy.server_learning_rate"] == 0.1, "both kinds use it: the spec's value stays"
    assert apply(spec, resolve_entry(spec, None, ["strategy.kind=fedavg"])).strategy.kind == "fedavg"


@pytest.mark.parametrize(
    ("base", "sets", "message"),
    [
        ("fedavg", ["strategy.kind=fedprox"], "`strategy.kind: fedprox` needs `strategy.mu`"),
        ("fedadam", ["strategy.kind=fedavgm"], "needs `strategy.momentum`"),
        ("fedavg", ["strategy.mu=1"], "`strategy.mu` has no effect with `strategy.kind: fedavg`"),
        ("fedadam", ["strategy.kind=fedavg", "strategy.tau=0.1"], "`strategy.tau` has no effect"),
        ("fedadam", ["strategy.tau=null"], "needs `strategy.tau`"),
        ("fedadam", ["strategy.beta2=null"], "outside what the spec allows"),
        ("fedavg", ["strategy.kind=fedprox", "strategy.mu=0"], "outside what the spec allows"),
        ("fedavg", ["strategy.kind=median"], "one of `fedavg`"),
        ("fedavg", ["strategy.kind=krum", "strategy.byzantine=1"], "krum against 1 hostile replies needs 5"),
        ("fedavg", ["strategy.kind=fedtrimmedavg", "strategy.trim=0.1"], "is nobody"),
        ("fedavg", ["strategy.kind={a: 1}"], "one of `fedavg`"),
        (
            "fedavg",
            ["strategy.kind=fedavgm", "strategy.momentum=0", "strategy.server_learning_rate=1"],
            "is FedAvg",
        ),
        ("fedavg", ["strategy.kind=fedprox", "strategy.mu=1", "training.local_steps=1"], "is FedAvg"),
    ],
)
def test_what_is_refused(specs: dict[str, Spec], base: str, sets: list[str], message: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        resolve_entry(specs[base], None, sets)
    assert message in str(caught.value)
    assert all(d.code.startswith("FTB2") for d in caught.value.diagnostics)


def test_an_edited_bundle_cannot_smuggle_a_parameter_in(specs: dict[str, Spec]) -> None:
    good = resolve_entry(specs["fedavg"], None, ["strategy.kind=fedprox", "strategy.mu=1"])
    edited = good.model_copy(update={"knobs": {**good.knobs, "strategy.tau": 0.5}})
    assert [d.code for d in check_entry(specs["fedavg"], edited)] == ["FTB203"]
    missing = good.model_copy(update={"knobs": {**good.knobs, "strategy.mu": None}})
    assert [d.code for d in check_entry(specs["fedavg"], missing)] == ["FTB203"]


def test_the_place_of_a_missing_parameter_is_the_kind_in_the_entry_s_file(
    specs: dict[str, Spec], tmp_path: Path
) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("ftbench: entry/v1\nmetadata: {name: mine}\nknobs:\n  strategy.kind: fedprox\n")
    with pytest.raises(InvalidInput) as caught:
        resolve_entry(specs["fedavg"], load_entry(path))
    (diagnostic,) = caught.value.diagnostics
    assert str(diagnostic.place) == f"{path}:4:18"
