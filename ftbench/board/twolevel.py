"""The interval of a method's score: over items and over seeds."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ftbench.board.compare import METHOD, mean_marks, shape, standard_errors
from ftbench.board.submission import Clusters, Marks
from ftbench.result.documents import Interval

LEAN = 1.5
"""A variance of three seeds is more often too small than too large, and then feigns many degrees of freedom: ν takes it
this many times. Chosen by simulation (`tests/board/test_table_error.py`): coverage of 95 % intervals is 94 to 97 %."""


def interval(
    scores: Sequence[float], marks: Sequence[Marks], confidence: float, clusters: Clusters | None = None
) -> Interval | None:
    """Of the mean over seeds of `scores`, with each seed's marks; None for fewer than METHOD seeds or without marks.

    Items and seeds are crossed: V = SE² + S² / k, with SE the standard error over items (clusters, where they are
    named) of the items' means over seeds, S² the variance of the k seeds' scores. What seeds and items do together is
    in both, so that V errs to the wide side. Half the width is t_ν √V with ν of `freedom_of`.
    F. E. Satterthwaite, Biometrics Bulletin 2 (1946) 110–114; A. B. Owen, "The pigeonhole bootstrap", Annals of Applied
    Statistics 1 (2007) 386–411, for the crossed variance.
    """
    seeds = len(scores)
    if seeds < METHOD:
        return None
    means = mean_marks(list(marks))
    errors = standard_errors(means, clusters)
    if errors is None:
        return None
    over_items = (errors[0] if errors[1] is None else errors[1]) ** 2
    mean = math.fsum(scores) / seeds
    over_seeds = math.fsum((one - mean) ** 2 for one in scores) / (seeds - 1) / seeds
    total = over_items + over_seeds
    if total <= 0:
        return Interval(low=mean, high=mean)
    count = _count(means, clusters)
    freedom = freedom_of(over_items, over_seeds, count, seeds)
    half = t_quantile((1 + confidence) / 2, freedom) * math.sqrt(total)
    return Interval(low=max(mean - half, 0.0), high=min(mean + half, 1.0))


def freedom_of(over_items: float, over_seeds: float, count: int, seeds: int) -> float:
    """ν = (SE² + A)² / (SE⁴ / (G − 1) + A² / (k − 1)), A = LEAN · S² / k: Satterthwaite's, leaning to the wide side."""
    leant = LEAN * over_seeds
    return (over_items + leant) ** 2 / (over_items**2 / max(count - 1, 1) + leant**2 / (seeds - 1))


def _count(means: Marks, clusters: Clusters | None) -> int:
    found: set[str] = set()
    alone = 0
    for task, items in shape(means).items():
        labels = (clusters or {}).get(task)
        if labels is not None and len(labels) == items:
            found |= set(labels)
        else:
            alone += items
    return alone + len(found)


def t_quantile(share: float, freedom: float) -> float:
    """The quantile of Student's t for `share` in [0.5, 1) with any positive degrees of freedom, by bisection.

    Without scipy, so that the leaderboard stays light; a test holds it to scipy's.
    """
    if not (0.5 <= share < 1 and freedom > 0):
        raise ValueError(f"no quantile of Student's t for {share} with {freedom} degrees of freedom")
    low, high = 0.0, 1.0
    while _t_upper(high, freedom) > 1 - share and high < 1e12:
        high *= 2
    for _ in range(200):
        middle = (low + high) / 2
        if _t_upper(middle, freedom) > 1 - share:
            low = middle
        else:
            high = middle
        if high - low <= 1e-13 * high:
            break
    return (low + high) / 2


def _t_upper(t: float, freedom: float) -> float:
    """P(T > t) for t ≥ 0: half the regularised incomplete beta function at ν / (ν + t²)."""
    if t == 0:
        return 0.5
    return _beta(freedom / (freedom + t * t), t * t / (freedom + t * t), freedom / 2, 0.5) / 2


def _beta(x: float, rest: float, a: float, b: float) -> float:
    """I_x(a, b), rest = 1 − x; continued fraction by Lentz (Press et al., Numerical Recipes, 3rd ed., §6.4)."""
    log = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log(rest)
    if x < (a + 1) / (a + b + 2):
        return math.exp(log) * _fraction(x, a, b) / a
    return 1 - math.exp(log) * _fraction(rest, b, a) / b


def _fraction(x: float, a: float, b: float) -> float:
    tiny = 1e-300
    c, d = 1.0, 1 / _away(1 - (a + b) * x / (a + 1), tiny)
    found = d
    for m in range(1, 10_000):
        for term in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d = 1 / _away(1 + term * d, tiny)
            c = _away(1 + term / c, tiny)
            found *= d * c
        if abs(d * c - 1) < 1e-15:
            break
    return found


def _away(value: float, tiny: float) -> float:
    return value if abs(value) > tiny else tiny
