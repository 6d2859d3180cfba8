"""Two runs side by side: items gained and lost, a test for each task, what was chosen otherwise."""

from __future__ import annotations

import pytest

from ftbench.board.clusters import Clustering
from ftbench.board.versus import changes, differing
from ftbench.errors import InvalidInput
from ftbench.result.statistics import mcnemar


def test_items_gained_and_lost() -> None:
    a = {"x": [1.0, 0.0, 0.0] + [0.0] * 8, "y": [1.0] * 4}
    b = {"x": [0.0, 1.0, 1.0] + [1.0] * 8, "y": [1.0] * 4}
    x, y, mean = changes(a, b, 0.95, Clustering(), "ab" * 32)
    assert (x.task, x.gained, x.lost) == ("x", [1, 2, *range(3, 11)], [0])
    assert x.p_value == pytest.approx(2 * mcnemar(10, 1)), "of two tasks, by Holm"
    assert x.apart and not y.apart and y.p_value == 1
    assert (mean.task, mean.items) == ("mean", 15) and mean.difference == pytest.approx(9 / 22)
    assert mean.gained == []


def test_other_items_are_not_compared() -> None:
    with pytest.raises(InvalidInput, match="FTB710"):
        changes({"x": [1.0]}, {"x": [1.0, 0.0]}, 0.95, Clustering(), "ab" * 32)


def test_conditions() -> None:
    found = differing({"rank": 4, "seed": 1}, {"rank": 8, "seed": 1, "big": 2**70})
    assert [(one.path, one.a, one.b) for one in found] == [("big", None, 2**70), ("rank", 4, 8)]
