"""What came of a redo is taken down whatever an archive made of it: its owner chose what lies in it."""

from __future__ import annotations

import math
from typing import Any

import pytest

from ftbench.replay import rounds, worker
from ftbench.verify.draw import Draw

SHA = "ab" * 32
DRAWN = Draw({}, [(1, 0)], [1], [2])


def found(**client: Any) -> dict[str, Any]:
    return {
        "clients": [{"again": SHA, "loss_again": 1.0, "state_again": "", "distance": 0.0, **client}],
        "aggregations": [{"reason": "not kept"}],
        "validations": [{"loss": 1.0}],
    }


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_is_no_distance(number: float) -> None:
    """An update with an infinity in it lies NaN of its length from the true one. That ended the whole command."""
    told = rounds.told(found(distance=number, loss_again=number), DRAWN)
    assert told.clients[0].update == SHA and told.clients[0].distance is None and told.clients[0].loss is None
    told = rounds.told({**found(), "validations": [{"loss": number}]}, DRAWN)
    assert told.validations[0].loss is None and "no finite loss" in (told.validations[0].reason or "")
    assert rounds.told(found(), DRAWN).clients[0].distance == 0.0


@pytest.mark.parametrize("error", [ValueError("shapes (2,) (3,)"), KeyError("lora_A"), TypeError("x"), OverflowError()])
def test_arrays_that_do_not_fit_end_one_part(error: Exception) -> None:
    """They ended the process, and what waited for a decision went on waiting for ever."""

    def broken(*_: int) -> dict[str, Any]:
        raise error

    reason = worker._one(RuntimeError, broken, 1)["reason"]
    assert "not of this run" in reason and type(error).__name__ in reason


def test_what_is_wrong_with_the_machine_still_ends_it() -> None:
    def broken(*_: int) -> dict[str, Any]:
        raise MemoryError

    with pytest.raises(MemoryError):
        worker._one(ValueError, broken, 1)
