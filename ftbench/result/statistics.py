"""Intervals and tests for proportions. Standard library only: runner and verifier compute them the same way.

Every interval is two-sided at the confidence given and covers the sampling of items only, not seeds.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist

_EXACT = 10_000
"""Up to this many changed items McNemar's test is computed in whole numbers; beyond, by logarithms of factorials."""
_PLACES = 200_000
"""Up to this many combinations of changed items the test of a mean is worked out whole."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value with its interval."""

    value: float
    low: float
    high: float


def normal_quantile(confidence: float) -> float:
    """z with `confidence` of the standard normal distribution between −z and z. Raises ValueError outside (0, 1)."""
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie between 0 and 1, not {confidence}")
    return NormalDist().inv_cdf((1 + confidence) / 2)


def wilson(correct: int, items: int, confidence: float) -> Estimate:
    """A proportion with its score interval.

    E. B. Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22 (1927) 209–212.
    Raises ValueError unless 0 ≤ correct ≤ items and items ≥ 1.
    """
    if not 0 <= correct <= items or items < 1:
        raise ValueError(f"{correct} of {items} is not a proportion")
    z = normal_quantile(confidence)
    p = correct / items
    scale = 1 + z * z / items
    centre = (p + z * z / (2 * items)) / scale
    half = z * math.sqrt(p * (1 - p) / items + z * z / (4 * items * items)) / scale
    # At 0 and at 1 the limit is exact; rounding may put it on the wrong side of the proportion.
    low = 0.0 if correct == 0 else min(max(centre - half, 0.0), p)
    high = 1.0 if correct == items else max(min(centre + half, 1.0), p)
    return Estimate(p, low, high)


def mover_mean(estimates: Sequence[Estimate], bounds: tuple[float, float]) -> Estimate:
    """The plain mean of independent estimates, its interval recovered from theirs, cut to `bounds`.

    MOVER for a linear combination with equal coefficients: G. Y. Zou and A. Donner, "Construction of confidence limits
    about effect measures: a general approach", Statistics in Medicine 27 (2008) 1693–1702. One estimate comes back
    as it is. Raises ValueError for none.
    """
    if not estimates:
        raise ValueError("a mean needs at least one estimate")
    count = len(estimates)
    value = math.fsum(e.value for e in estimates) / count
    below = math.sqrt(math.fsum((e.value - e.low) ** 2 for e in estimates)) / count
    above = math.sqrt(math.fsum((e.high - e.value) ** 2 for e in estimates)) / count
    least, most = bounds
    value = min(max(value, least), most)
    return Estimate(value, max(value - below, least), min(value + above, most))


def paired_difference(both: int, gained: int, lost: int, neither: int, confidence: float) -> Estimate:
    """Right-after minus right-before on the same items, with Newcombe's interval built from the two score intervals.

    The arguments count items: right both times, right only after, right only before, right never.
    R. G. Newcombe, "Improved confidence intervals for the difference between binomial proportions based on paired
    data", Statistics in Medicine 17 (1998) 2635–2650, method 10 (the correlation is corrected for continuity where
    it is positive). Raises ValueError for negative counts and for no items.
    """
    items = both + gained + lost + neither
    if min(both, gained, lost, neither) < 0 or items < 1:
        raise ValueError(f"{both}, {gained}, {lost}, {neither} are not counts of paired items")
    after = wilson(both + gained, items, confidence)
    before = wilson(both + lost, items, confidence)
    value = (gained - lost) / items
    phi = _correlation(both, gained, lost, neither)
    down, up = after.value - after.low, after.high - after.value
    down_before, up_before = before.value - before.low, before.high - before.value
    below = math.sqrt(max(down * down - 2 * phi * down * up_before + up_before * up_before, 0.0))
    above = math.sqrt(max(up * up - 2 * phi * up * down_before + down_before * down_before, 0.0))
    return Estimate(value, max(value - below, -1.0), min(value + above, 1.0))


def _correlation(both: int, gained: int, lost: int, neither: int) -> float:
    """Newcombe's phi of the 2 × 2 table; 0 where a margin is empty."""
    margins = (both + gained) * (lost + neither) * (both + lost) * (gained + neither)
    if margins == 0:
        return 0.0
    product = float(both * neither - gained * lost)
    if product > 0:
        product = max(product - (both + gained + lost + neither) / 2, 0.0)
    return product / math.sqrt(margins)


def stratified(changes: Sequence[tuple[int, int, int]]) -> float:
    """Two-sided p-value that the plain mean over tasks did not change: each changed item as likely gained as lost.

    `changes` has items, gained and lost of each task; an item weighs 1 / its task's items. Where all tasks are of one
    size that is McNemar's exact test of the pooled items. Else the distribution is worked out whole where it has up to
    _PLACES places, and beyond is normal with the correction for continuity that compares rows of a leaderboard.
    Raises ValueError for negative counts and for no tasks.
    """
    if not changes or any(min(gained, lost) < 0 or items < gained + lost for items, gained, lost in changes):
        raise ValueError(f"{list(changes)} are not counts of changed items")
    sizes: dict[int, list[int]] = {}
    for items, gained, lost in changes:
        pooled = sizes.setdefault(items, [0, 0])
        pooled[0] += gained
        pooled[1] += lost
    moved = {items: (gained, lost) for items, (gained, lost) in sizes.items() if gained + lost}
    if not moved:
        return 1.0
    if len(moved) == 1:
        return mcnemar(*next(iter(moved.values())))
    weights = {items: math.lcm(*moved) // items for items in moved}
    observed = abs(sum(weights[items] * (gained - lost) for items, (gained, lost) in moved.items()))
    if math.prod(gained + lost + 1 for gained, lost in moved.values()) <= _PLACES:
        return _exact(moved, weights, observed)
    spread = math.sqrt(sum(weights[items] ** 2 * (gained + lost) for items, (gained, lost) in moved.items()))
    return math.erfc(max(observed - min(weights.values()), 0) / spread / math.sqrt(2))


def _exact(moved: Mapping[int, tuple[int, int]], weights: Mapping[int, int], observed: int) -> float:
    """Probability of a sum at least as far from 0 as `observed`, with every sign as likely as the other."""
    sums = {0: 1.0}
    for items, (gained, lost) in moved.items():
        changed, longer = gained + lost, dict[int, float]()
        chances = _binomial(changed)
        for place, chance in sums.items():
            for k, one in enumerate(chances):
                there = place + weights[items] * (2 * k - changed)
                longer[there] = longer.get(there, 0.0) + chance * one
        sums = longer
    return min(math.fsum(chance for place, chance in sums.items() if abs(place) >= observed), 1.0)


def _binomial(count: int) -> list[float]:
    """Probability of each number of heads in `count` throws; each quotient of whole numbers is rounded once."""
    whole, term = 1 << count, 1
    half = [term / whole]
    for k in range(count // 2):
        term = term * (count - k) // (k + 1)
        half.append(term / whole)
    return half + half[: count - count // 2][::-1]


def mcnemar(gained: int, lost: int) -> float:
    """Exact two-sided p-value that an item is as likely gained as lost.

    Q. McNemar, "Note on the sampling error of the difference between correlated proportions or percentages",
    Psychometrika 12 (1947) 153–157; the binomial distribution in place of its normal approximation. 1 where nothing
    changed. Raises ValueError for negative counts.
    """
    if min(gained, lost) < 0:
        raise ValueError(f"{gained}, {lost} are not counts")
    changed, fewer = gained + lost, min(gained, lost)
    if changed <= _EXACT:
        # Whole numbers up to one division, which Python rounds rightly even where both sides exceed a float.
        term, tail = 1, 1
        for k in range(1, fewer + 1):
            term = term * (changed - k + 1) // k
            tail += term
        return min(2 * tail / (1 << changed), 1.0)
    whole = math.lgamma(changed + 1) - changed * math.log(2)
    terms = (math.exp(whole - math.lgamma(k + 1) - math.lgamma(changed - k + 1)) for k in range(fewer + 1))
    return min(2 * math.fsum(terms), 1.0)
