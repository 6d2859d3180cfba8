"""Intervals and tests against scipy, published worked examples and their own definitions."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest, norm

from ftbench.result.statistics import Estimate, mcnemar, mover_mean, normal_quantile, paired_difference, wilson

counts = st.integers(0, 400)


@pytest.mark.parametrize("confidence", [0.5, 0.9, 0.95, 0.99, 0.9999])
def test_quantile_is_scipys(confidence: float) -> None:
    assert normal_quantile(confidence) == pytest.approx(norm.ppf((1 + confidence) / 2), rel=1e-12)


@pytest.mark.parametrize("confidence", [0.0, 1.0, -1.0, 95.0, math.nan])
def test_quantile_refuses(confidence: float) -> None:
    with pytest.raises(ValueError, match="confidence"):
        normal_quantile(confidence)


def test_wilson_on_newcombes_examples() -> None:
    """Newcombe 1998 (Statistics in Medicine 17, 857-872), table I, method 3."""
    for correct, items, low, high in [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0, 0.1611)]:
        estimate = wilson(correct, items, 0.95)
        assert (round(estimate.low, 4), round(estimate.high, 4)) == (low, high)


@given(st.integers(1, 5000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), st.floats(0.5, 0.999))
def test_wilson_is_scipys(count: tuple[int, int], confidence: float) -> None:
    correct, items = count
    theirs = binomtest(correct, items).proportion_ci(confidence, method="wilson")
    ours = wilson(correct, items, confidence)
    assert ours.low == pytest.approx(theirs.low, abs=1e-12)
    assert ours.high == pytest.approx(theirs.high, abs=1e-12)
    assert 0 <= ours.low <= ours.value <= ours.high <= 1


@pytest.mark.parametrize(("correct", "items"), [(1, 0), (-1, 3), (4, 3)])
def test_wilson_refuses(correct: int, items: int) -> None:
    with pytest.raises(ValueError, match="not a proportion"):
        wilson(correct, items, 0.95)


def test_paired_difference_on_a_published_example() -> None:
    """Fagerland, Lydersen, Laake 2014 (Statistics in Medicine 33, 2850-2875): 21 children, counts 1, 1, 7, 12."""
    estimate = paired_difference(1, 1, 7, 12, 0.95)
    assert (round(estimate.low, 3), round(estimate.high, 3)) == (-0.507, -0.026)
    assert mcnemar(1, 7) == pytest.approx(0.0703, abs=1e-4)


@given(counts, counts, counts, counts)
def test_paired_difference_properties(both: int, gained: int, lost: int, neither: int) -> None:
    items = both + gained + lost + neither
    if items == 0:
        return
    forth = paired_difference(both, gained, lost, neither, 0.95)
    back = paired_difference(both, lost, gained, neither, 0.95)
    swapped = paired_difference(neither, lost, gained, both, 0.95)  # wrong answers counted in place of right ones
    assert forth.value == (gained - lost) / items
    assert -1 <= forth.low <= forth.value <= forth.high <= 1
    assert (back.low, back.high) == pytest.approx((-forth.high, -forth.low), abs=1e-12)
    assert (swapped.low, swapped.high) == pytest.approx((-forth.high, -forth.low), abs=1e-9)


def test_paired_difference_covers_about_as_often_as_it_says() -> None:
    """Exact coverage by summing the multinomial over every table of 20 items."""
    items, p = 20, (0.4, 0.3, 0.1, 0.2)
    true, covered = p[1] - p[2], 0.0
    for both, gained, lost in itertools.product(range(items + 1), repeat=3):
        neither = items - both - gained - lost
        if neither < 0:
            continue
        estimate = paired_difference(both, gained, lost, neither, 0.95)
        if estimate.low <= true <= estimate.high:
            ways = math.factorial(items)
            for count in (both, gained, lost, neither):
                ways //= math.factorial(count)
            covered += ways * p[0] ** both * p[1] ** gained * p[2] ** lost * p[3] ** neither
    assert 0.93 < covered < 0.985


@given(st.integers(0, 700), st.integers(0, 700))
def test_mcnemar_is_the_binomial_test(gained: int, lost: int) -> None:
    expected = binomtest(gained, gained + lost).pvalue if gained + lost else 1.0
    assert mcnemar(gained, lost) == pytest.approx(expected, rel=1e-9, abs=1e-300)


def test_mcnemar_with_many_items() -> None:
    assert mcnemar(4_800, 5_200) == pytest.approx(binomtest(4_800, 10_000).pvalue, rel=1e-9)  # whole numbers
    assert mcnemar(4_800, 5_201) == pytest.approx(binomtest(4_800, 10_001).pvalue, rel=1e-8)  # logarithms
    assert mcnemar(500_000, 501_000) == pytest.approx(binomtest(500_000, 1_001_000).pvalue, rel=1e-6)
    assert mcnemar(0, 5_000) == 0.0
    assert mcnemar(6_000, 6_000) == 1.0
    with pytest.raises(ValueError, match="not counts"):
        mcnemar(-1, 3)


def test_mover_of_one_is_itself() -> None:
    assert mover_mean([Estimate(0.5, 0.4, 0.7)], (0, 1)) == Estimate(0.5, pytest.approx(0.4), pytest.approx(0.7))


def test_mover_by_hand() -> None:
    mean = mover_mean([Estimate(0.5, 0.2, 0.6), Estimate(0.7, 0.3, 0.9)], (0, 1))
    assert mean.value == pytest.approx(0.6)
    assert mean.low == pytest.approx(0.6 - 0.25)  # distances 0.3 and 0.4 below
    assert mean.high == pytest.approx(0.6 + math.hypot(0.1, 0.2) / 2)


def test_mover_is_zou_and_donners_difference_with_the_sign_turned() -> None:
    """For a difference their formula pairs one's lower distance with the other's upper: a mean of x and -y doubled."""
    x, y = wilson(30, 50, 0.95), wilson(20, 60, 0.95)
    mean = mover_mean([x, Estimate(-y.value, -y.high, -y.low)], (-1, 1))
    low = x.value - y.value - math.hypot(x.value - x.low, y.high - y.value)
    assert 2 * mean.low == pytest.approx(low)


def test_mover_refuses_nothing() -> None:
    with pytest.raises(ValueError, match="at least one"):
        mover_mean([], (0, 1))
