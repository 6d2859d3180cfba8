"""Every attack in the table, raw and sealed again, against the check that must catch it."""

from __future__ import annotations

from collections import Counter

import forge
import pytest
from attacks import Attack, all_attacks

from ftbench.result.documents import LEVELS, Verdict
from ftbench.verify.checks import CHECKS
from ftbench.verify.limits import HARDWARE, INVENTED_ANSWERS, SWAPPED_ADAPTER

LEVEL = {check.id: check.level for check in CHECKS}
ALL = all_attacks()


def failed(verdict: Verdict) -> list[str]:
    return [check.check for check in verdict.checks if check.outcome == "failed"]


def caught(verdict: Verdict, by: str) -> None:
    """Refused by that check, on the level just above the one reached; nothing higher was looked at."""
    assert not verdict.accepted
    assert by in failed(verdict), [(c.check, c.evidence) for c in verdict.checks if c.outcome == "failed"]
    assert LEVELS.index(verdict.level) == LEVELS.index(LEVEL[by]) - 1
    assert all(check.code != "FTB699" for check in verdict.checks), "a check broke off"


@pytest.mark.parametrize("attack", ALL, ids=lambda a: a.name)
def test_raw(world: forge.World, genuine: forge.Forged, attack: Attack) -> None:
    before = dict(genuine.files)
    attack.edit(genuine)
    assert genuine.files != before
    caught(world.verdict(genuine.files), attack.raw)


@pytest.mark.parametrize("attack", [a for a in ALL if a.sealed], ids=str)
def test_sealed(world: forge.World, genuine: forge.Forged, attack: Attack) -> None:
    genuine.keep = set(attack.keep)
    attack.edit(genuine)
    forge.reseal(genuine)
    caught(world.verdict(genuine.files), str(attack.sealed))


@pytest.mark.parametrize("attack", [a for a in ALL if not a.sealed], ids=str)
def test_sealed_and_not_caught(world: forge.World, genuine: forge.Forged, attack: Attack) -> None:
    """No check before SPOT-RUN can tell, and the verdict says so."""
    genuine.keep = set(attack.keep)
    attack.edit(genuine)
    forge.reseal(genuine)
    verdict = world.verdict(genuine.files)
    assert failed(verdict) == [] and verdict.level == "RESCORED" and verdict.accepted
    assert {SWAPPED_ADAPTER, INVENTED_ANSWERS, HARDWARE} <= set(verdict.not_checked)


def test_enough_fall_at_conforms_or_rescored() -> None:
    sealed = Counter(LEVEL[a.sealed] for a in ALL if a.sealed)
    assert sealed["CONFORMS"] >= 20 and sealed["RESCORED"] >= 10
    assert len({a.name for a in ALL}) == len(ALL)


def test_every_check_catches_something() -> None:
    """A check that no attack needs is no check. Those left out here have tests of their own."""
    named = {a.sealed for a in ALL} | {a.raw for a in ALL}
    above = {check.id for check in CHECKS if check.level in ("SPOT-RUN", "REPRODUCED")}
    apart = {"budget-kept", "budgets-answered"} | above
    assert {check.id for check in CHECKS} - named == apart
