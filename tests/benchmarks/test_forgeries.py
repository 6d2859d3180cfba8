"""The page on how a result could be false says what was measured, and nothing that passes is missing from it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "benchmarks"))

from forgeries import page  # noqa: E402


@pytest.fixture(scope="module")
def told() -> dict[str, object]:
    return dict(json.loads(page.JSON.read_bytes()))


def test_the_page_is_what_was_measured(told: dict[str, object]) -> None:
    again = "python benchmarks/forgeries/page.py"
    assert page.PAGE.read_text() == page.render(told), f"docs have drifted: {again}"


def test_whatever_passes_is_caught_later_or_told(told: dict[str, object]) -> None:
    from attacks import all_attacks

    kinds = {one["name"] for one in told["kinds"]}  # type: ignore[attr-defined]
    passed = {one.name for one in all_attacks() if one.sealed is None}
    assert passed == page.PASSED.keys()
    assert set(page.PASSED.values()) <= kinds | page.UNCATCHABLE.keys()
    named = {one.name for one in all_attacks() if one.sealed is not None}
    assert {name for given in page.FACTS.values() for name in given} <= named


def test_each_kind_is_caught_as_often_as_computed(told: dict[str, object]) -> None:
    """Within four standard deviations; what is computed as certain always."""
    from forgeries.kinds import KINDS

    found = {one["name"]: one for one in told["kinds"]}  # type: ignore[attr-defined]
    assert found.keys() == {one.name for one in KINDS}
    for one in found.values():
        due, draws = one["computed"], one["draws"]
        room = 4 * (draws * due * (1 - due)) ** 0.5
        assert abs(one["caught"] - draws * due) <= room + 0.02 * draws, one
        assert one["caught"] > 0, one
