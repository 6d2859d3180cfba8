"""How many seeds or items would tell is said of the very interval that did not."""

from __future__ import annotations

import dataclasses

import pytest

from ftbench.analysis.differences import Difference

FOUND = Difference("adapter", "dora", "lora", 0.043, 0.006**2, 0.004**2, 720, 3, 2)


def half(found: Difference, level: float) -> float:
    bounds = found.interval(level)
    return (bounds.high - bounds.low) / 2


@pytest.mark.parametrize("distance", [0.021, 0.018, 0.0165])
def test_with_so_many_it_tells_and_with_fewer_it_does_not(distance: float) -> None:
    level = 0.99
    assert half(FOUND, level) > distance
    needed = FOUND.needed(distance, level)
    assert needed is not None and needed.seeds is not None and not needed.together
    assert needed.seeds > FOUND.seeds

    def with_seeds(count: int) -> Difference:
        assert FOUND.over_seeds is not None
        return dataclasses.replace(FOUND, seeds=count, over_seeds=FOUND.over_seeds * FOUND.seeds / count)

    assert half(with_seeds(needed.seeds), level) < distance
    assert half(with_seeds(needed.seeds - 1), level) >= distance


def test_three_seeds_are_not_said_to_be_enough_where_three_were_not() -> None:
    """It took the normal distribution's quantile, the interval Student's."""
    found = dataclasses.replace(FOUND, over_items=0.0069**2, over_seeds=0.0063**2)
    level = 1 - 0.05 / 3
    assert half(found, level) > 0.023
    needed = found.needed(0.023, level)
    assert needed is not None and needed.seeds is not None and needed.seeds > 3


def test_items_alone_where_seeds_cannot() -> None:
    found = dataclasses.replace(FOUND, over_items=0.02**2, over_seeds=0.001**2, seeds=5)
    needed = found.needed(0.02, 0.95)
    assert needed is not None and needed.seeds is None and needed.items is not None and needed.items > 720


def test_both_where_neither_alone_can() -> None:
    needed = FOUND.needed(0.005, 0.95)
    assert needed is not None and needed.together
    assert needed.seeds is not None and needed.items is not None
    assert FOUND.needed(0.0, 0.95) is None
