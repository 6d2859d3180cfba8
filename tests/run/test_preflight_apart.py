"""What must lie where `ftbench run` is called when clients hold their rows themselves."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from ftbench import builtin
from ftbench.compile.compiler import make_plan
from ftbench.compile.plan import Plan
from ftbench.data.store import Store
from ftbench.errors import MissingResource
from ftbench.run import preflight
from ftbench.spec.entries import resolve_entry
from ftbench.spec.load import load_pins, load_spec


@pytest.fixture(scope="module")
def plan() -> Plan:
    path = builtin.specs()["quickstart"]
    return make_plan(load_spec(path).spec, load_pins(path))


@pytest.fixture
def lean(tmp_path: Path, plan: Plan) -> Store:
    """A store with base model and test items, without training rows and partition."""
    whole = builtin.store()
    shutil.copytree(whole / "models", tmp_path / "store" / "models")
    (tmp_path / "store" / "data").mkdir()
    for name, pin in plan.pins.sources.items():
        if name != "train":
            shutil.copy(whole / "data" / f"{pin.digest}.jsonl", tmp_path / "store" / "data")
    return Store([tmp_path / "store"])


def check(plan: Plan, store: Store, *, apart: bool) -> None:
    entry = resolve_entry(plan.typed_spec(), None)
    preflight.check_before_run(plan, entry, store, store.roots[0], unpinned=True, apart=apart)


def test_training_rows_may_be_at_their_clients_only(plan: Plan, lean: Store) -> None:
    check(plan, lean, apart=True)
    with pytest.raises(MissingResource) as caught:
        check(plan, lean, apart=False)
    assert {one.code for one in caught.value.diagnostics} == {"FTB301"}
    assert len(caught.value.diagnostics) == 2  # rows, partition


def test_references_need_them_here(plan: Plan, lean: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ftbench.run.preflight.due_references", lambda spec: ["centralised"])
    with pytest.raises(MissingResource, match="FTB301"):
        check(plan, lean, apart=True)


def test_test_items_are_needed_in_any_case(plan: Plan, lean: Store) -> None:
    digest = plan.pins.sources["task:jars"].digest
    (lean.roots[0] / "data" / f"{digest}.jsonl").unlink()
    with pytest.raises(MissingResource, match=f"FTB301 rows {digest}"):
        check(plan, lean, apart=True)
