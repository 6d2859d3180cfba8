"""pass@k against brute force over every choice of k programs, and against its definition at the edges."""

from __future__ import annotations

from fractions import Fraction
from itertools import combinations

import pytest

from ftbench.result.passk import mean_pass_at_k, pass_at_k


@pytest.mark.parametrize("generated", range(1, 8))
def test_equals_brute_force(generated: int) -> None:
    for passed in range(generated + 1):
        programs = [True] * passed + [False] * (generated - passed)
        for k in range(1, generated + 1):
            draws = list(combinations(programs, k))
            assert pass_at_k(generated, passed, k) == Fraction(sum(map(any, draws)), len(draws))


def test_pass_at_1_is_the_share() -> None:
    assert mean_pass_at_k([(1, 1), (1, 0), (1, 0)], 1) == Fraction(1, 3)
    assert pass_at_k(200, 37, 1) == Fraction(37, 200)


def test_large_numbers_stay_exact() -> None:
    assert pass_at_k(1000, 1, 100) == Fraction(1, 10)


@pytest.mark.parametrize(("generated", "passed", "k"), [(1, 2, 1), (1, -1, 1), (3, 1, 4), (3, 1, 0), (0, 0, 1)])
def test_refuses_what_has_no_meaning(generated: int, passed: int, k: int) -> None:
    with pytest.raises(ValueError):
        pass_at_k(generated, passed, k)


def test_refuses_an_empty_mean() -> None:
    with pytest.raises(ValueError):
        mean_pass_at_k([], 1)
