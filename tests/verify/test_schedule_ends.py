"""The check `learning-rate` follows `training.schedule.endpoints`."""

from __future__ import annotations

from typing import Any

import forge
import pytest

from ftbench.app import schedule


def ending(spec: dict[str, Any]) -> None:
    spec["training"]["schedule"] |= {"kind": "cosine", "endpoints": "last"}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> forge.World:
    return forge.make_world(tmp_path_factory.mktemp("ends"), ending)


def outcome(world: forge.World, endpoints: str) -> tuple[str, str]:
    """What the check says of a ledger with the app's rates by these ends, sealed anew."""
    made = forge.make(world)
    block = {**world.compiled.plan.spec["training"]["schedule"], "endpoints": endpoints}
    for number in range(1, 5):
        with made.round(number) as body:
            body["learning_rate"] = schedule.learning_rate(block, number, 4)
    forge.reseal(made)
    check = next(one for one in world.verdict(made.files).checks if one.check == "learning-rate")
    return check.outcome, str(check.evidence)


def test_the_app_s_rates_are_those_of_the_check(world: forge.World) -> None:
    assert outcome(world, "last")[0] == "passed"


def test_the_other_ends_are_another_schedule(world: forge.World) -> None:
    found, why = outcome(world, "both")
    assert found == "failed" and "round 1 had learning rate" in why
