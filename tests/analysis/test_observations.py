"""Factors are read off what the specs in force differ in."""

from __future__ import annotations

from typing import Any

import pytest

from ftbench.analysis.observations import Source, observe
from ftbench.board.submission import Submission
from ftbench.compile.compiler import compile_spec
from ftbench.result.documents import Interval, Mean, Selection
from ftbench.spec.entries import resolve_entry
from ftbench.spec.load import find_spec, load_pins, load_spec
from ftbench.spec.model import Spec


class Told:
    """What `observe` asks of a result."""

    def __init__(self, seed: int, selection: Selection | None, majority: float | None = None) -> None:
        self.seed, self.selection = seed, selection
        self.scores = type(
            "S", (), {"tuned": Mean(value=0.5, interval=Interval(low=0.4, high=0.6)), "majority": majority}
        )


def source(
    name: str,
    *sets: str,
    seed: int = 1,
    tuned: list[str] | None = None,
    majority: float | None = None,
    quantization: dict[str, Any] | None = None,
    model: str | None = None,
) -> Source:
    path = find_spec(name)
    spec = load_spec(path).spec
    if quantization is not None:
        value = spec.model_dump(mode="json")
        value["model"]["quantization"] |= quantization
        spec = Spec.model_validate(value)
    plan = compile_spec(spec, load_pins(path)).plan
    selection = Selection(trials=2, seed=1, tuned=tuned, losses=[0.1, 0.2]) if tuned else None
    verdict: Any = type("V", (), {"result": Told(seed, selection, majority)})
    return Source(
        Submission(f"{name} {sets} {seed}", verdict, resolve_entry(plan.typed_spec(), None, list(sets), model)), plan
    )


def test_two_partitions_are_one_domain() -> None:
    found = observe([source("micro/strategies-iid"), source("micro/strategies-dirichlet")])
    assert [one.factors for one in found] == [{"partition": "dirichlet 0.1 clients output"}, {"partition": "iid"}]
    assert found[0].items == found[1].items


def test_what_was_tuned_is_no_factor() -> None:
    rate = "training.schedule.learning_rate"
    prox = source("micro/strategies-iid", "strategy.kind=fedprox", "strategy.mu=0.1", f"{rate}=0.02", tuned=[rate])
    found = observe([source("micro/strategies-iid", tuned=[rate]), prox])
    assert {one.factors["strategy"] for one in found} == {"fedavg", "fedprox mu=0.1"}
    assert set(found[0].factors) == {"strategy"}
    assert set(observe([source("micro/strategies-iid"), prox])[0].factors) == {"strategy", rate}


def test_domains_have_names() -> None:
    found = observe([source("micro/finance"), source("micro/medical")])
    assert {one.factors["domain"] for one in found} == {"micro-finance", "micro-medical"}
    assert {one.factors["adapter"] for one in found} == {"dora", "lora"}


def test_what_is_told_apart_from_a_constant_answer() -> None:
    found = observe([source("quickstart", seed=n, majority=m) for n, m in enumerate((None, 0.39, 0.4, 0.45))])
    assert [one.learnt for one in found] == [True, True, False, False]


def test_bits_are_told_with_or_without_quantisation() -> None:
    found = observe([source("micro/adapters-16bit"), source("micro/adapters-4bit"), source("micro/strategies-iid")])
    assert [one.factors["bits"] for one in found] == ["16 bits", "4 bits fp4", "32 bits"]


@pytest.mark.parametrize(
    ("changes", "level"),
    [
        ({"kind": "nf4"}, "4 bits nf4"),
        ({"kind": "nf4", "double": True}, "4 bits nf4 double"),
        ({"compute_dtype": "float32"}, "4 bits fp4 in float32 between bfloat16"),
    ],
)
def test_other_weights_are_another_level(changes: dict[str, Any], level: str) -> None:
    """`4 bits` stood for fp4 and nf4 alike, so that runs of both were taken for the same thing."""
    found = observe([source("micro/adapters-4bit"), source("micro/adapters-4bit", quantization=changes)])
    assert [one.factors["bits"] for one in found] == ["4 bits fp4", level]


def test_two_revisions_of_a_model_are_two_levels() -> None:
    made = [source("quickstart", model=f"org/model@{letter * 40}") for letter in "ab"]
    first, second = (found.factors["model"] for found in observe(made))
    assert first != second and first.startswith("org/model ")
