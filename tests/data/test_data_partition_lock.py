"""Partitions that go by a column, from spec to pins: the committed micro study."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ftbench import builtin
from ftbench.data import partition
from ftbench.data.pinning import lock
from ftbench.data.pins_check import confirm_pins
from ftbench.data.store import Store
from ftbench.errors import InvalidInput
from ftbench.spec.load import load_pins, load_spec
from ftbench.spec.model import Spec
from ftbench.spec.partitions import DirichletPartition

PATH = builtin.specs()["micro/finance-dirichlet"]
STUDIES = {"0.1": 0.1, "0.5": 0.5, "5": 5.0}


def spec_with(**changes: Any) -> Spec:
    value = load_spec(PATH).spec.model_dump(mode="json")
    for name, change in changes.items():
        value[name].update(change)
    return Spec.model_validate(value)


def test_locking_gives_the_committed_pins_and_files(tmp_path: Path) -> None:
    spec, pins = load_spec(PATH).spec, load_pins(PATH)
    assert lock(spec, Store([tmp_path])) == pins
    assert confirm_pins(spec, pins, Store([builtin.store()])) == []
    assert pins.partition is not None
    name = f"partitions/{pins.partition.digest}.json"
    assert (tmp_path / name).read_bytes() == (builtin.store() / name).read_bytes()


@pytest.mark.parametrize("change", [{"alpha": 0.6}, {"draw": "labels", "min_rows": 1}, {"label": "instruction"}])
def test_another_parameter_makes_the_pin_stale(change: dict[str, Any]) -> None:
    block = {"kind": "dirichlet", "label": "output", "alpha": 0.5, "draw": "clients", **change}
    found = confirm_pins(spec_with(federation={"partition": block}), load_pins(PATH), Store([builtin.store()]))
    assert {one.code for one in found} == {"FTB321"}


def test_a_partition_that_comes_out_otherwise_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    spec, pins = load_spec(PATH).spec, load_pins(PATH)
    monkeypatch.setitem(partition.KINDS, "dirichlet", partition.KINDS["iid"])
    assert {one.code for one in confirm_pins(spec, pins, Store([builtin.store()]))} == {"FTB323"}


def test_rows_set_aside_are_nobody_s_and_labels_stay_with_their_rows() -> None:
    spec = spec_with(
        data={"validation": {"fraction": 0.1, "min_rows": 1}},
        evaluation={"checkpoint": "best-validation"},
        federation={"clients": 3, "partition": {"kind": "natural", "group": "output", "deal": "one-each"}},
    )
    rows = [{"output": "abc"[number % 3]} for number in range(90)]
    dealt = partition.deal_rows(90, spec, lambda: rows)
    assert dealt.validation is not None and len(dealt.validation) == 9
    held = [number for share in dealt.shares for number in share]
    assert sorted(held + dealt.validation) == list(range(90))
    assert [{number % 3 for number in share} for share in dealt.shares] == [{0}, {1}, {2}]


def test_rows_of_another_number_than_pinned_are_refused() -> None:
    with pytest.raises(InvalidInput, match="FTB309"):
        partition.deal_rows(5, load_spec(PATH).spec, lambda: [{"output": "a"}] * 4)


def test_kinds_without_a_column_never_ask_for_rows() -> None:
    def never() -> list[dict[str, Any]]:
        raise AssertionError("asked for rows")

    spec = spec_with(federation={"partition": {"kind": "size-skew", "growth": "linear", "ratio": 3.0}})
    assert len(partition.deal_rows(100, spec, never).shares) == 4


@pytest.mark.parametrize("alpha", STUDIES)
def test_the_studies_differ_from_finance_in_the_partition_alone(alpha: str) -> None:
    study = load_spec(builtin.specs()[f"studies/finance-dirichlet-{alpha}"]).spec
    block = study.federation.partition
    assert isinstance(block, DirichletPartition) and block.alpha == STUDIES[alpha] and block.label == "output"
    finance = load_spec(builtin.specs()["finance"]).spec.model_dump(mode="json", exclude={"metadata"})
    value = study.model_dump(mode="json", exclude={"metadata"})
    value["federation"]["partition"] = finance["federation"]["partition"]
    assert value == finance
