"""Every facet of every strategy is there, and the frozen app's copy says the same."""

from __future__ import annotations

from pathlib import Path

import pytest

import ftbench
from ftbench.app import strategy
from ftbench.app.strategy import base
from ftbench.cli import inventory
from ftbench.spec.implied import traffic
from ftbench.spec.model import Strategy
from ftbench.spec.strategies import STRATEGIES, Record

APP = Path(ftbench.__file__).parent / "app" / "strategy"
DOCS = Path(ftbench.__file__).parent.parent / "docs" / "strategies.md"
SHARED = {"__init__", "base", "mean", "adaptive", "factors", "robust"}
"""Modules of the app's package that are no strategies."""
TESTS = Path(__file__).resolve().parents[1] / "app"
ELSEWHERE = {
    "scaffold": "scaffold",
    "ffa-lora": "ffa_lora",
    "flora": "flora",
    **dict.fromkeys(("fedmedian", "fedtrimmedavg", "krum", "multikrum"), "strategies_robust"),
}
"""Strategies whose numpy reference has a module of its own among the app's tests."""
SHAPES = {"m.lora_A.weight": (2, 8), "m.lora_B.weight": (4, 2)}


def test_every_module_has_its_record_and_every_record_its_module() -> None:
    assert {path.stem for path in APP.glob("*.py")} - SHARED == {kind.replace("-", "_") for kind in STRATEGIES}


@pytest.mark.parametrize("kind", STRATEGIES)
def test_the_apps_own_copy_is_equal(kind: str) -> None:
    record, own = STRATEGIES[kind], strategy.find_strategy(kind)
    fields = Strategy.model_fields
    assert own.parameters == set(record.parameters) <= fields.keys()
    assert own.whole == {name for name in record.parameters if "int" in str(fields[name].annotation)}
    assert own.mixes_ranks == record.mixes_ranks
    assert own.keeps_client_state == record.client_keeps
    assert own.changes_add_up == record.changes_add_up


@pytest.mark.parametrize("kind", STRATEGIES)
def test_records_agree_with_what_the_app_does(kind: str) -> None:
    """What is sent, and whether the server and the clients keep anything: by the hooks that a strategy overrides."""
    record, own = STRATEGIES[kind], strategy.find_strategy(kind)
    plain = {name for name in vars(base.Strategy) if getattr(own, name) is getattr(base.Strategy, name)}
    assert record.client_keeps <= ("reply" not in plain)
    assert ("aggregate" in plain) <= (record.combines == "mean")
    assert ("trainable" in plain) or record.frozen or record.mixes_ranks
    up = traffic.up(traffic.Message(kind, SHAPES, 2))
    assert len(up) == record.sent * len([name for name in SHAPES if not traffic.is_frozen(kind, name)])


def test_words_of_every_strategy() -> None:
    text = Strategy.model_fields["kind"].description or ""
    listed = {item.name: item.description for item in inventory.strategies("")}
    page = DOCS.read_text()
    for kind, record in STRATEGIES.items():
        assert record.meaning and record.source
        assert f"`{kind}`: {record.meaning} ({record.source})." in text
        assert listed[kind] == f"{record.meaning} ({record.source})."
        assert f"`{kind}`" in page, f"docs/strategies.md lacks {kind}"


def test_a_record_says_more_than_nothing() -> None:
    """Two strategies with one record would be one."""
    found = [one for one in STRATEGIES.values() if one == Record(meaning=one.meaning, source=one.source)]
    assert [one.meaning for one in found] == ["the mean"]


@pytest.mark.parametrize("kind", STRATEGIES)
def test_every_strategy_has_its_reference(kind: str) -> None:
    """CONTRIBUTING asks for one in numpy; the test beside it holds the strategy to it."""
    text = (TESTS / f"test_app_{ELSEWHERE.get(kind, 'strategies')}.py").read_text(encoding="utf-8")
    assert f'"{kind}"' in text and "numpy" in text, f"no reference of {kind} in tests/app"
