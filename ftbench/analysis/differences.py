"""Paired differences between the levels of a factor, everything else equal.

Runs are matched that differ in one factor alone. A difference is the mean over matched seeds and contexts; its variance
is V = SE² + S² / k, with SE the standard error over items of the marks' differences (means over seeds; contexts with
other items are independent of each other) and S² the variance over the k seeds of the difference. What seeds and items
do together is in both, so that V errs to the wide side, as on the board (`board.twolevel`).
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import fmean, variance

from ftbench.analysis.observations import Observation
from ftbench.board.compare import shape, standard_errors
from ftbench.board.submission import Marks
from ftbench.board.twolevel import freedom_of
from ftbench.result.documents import Interval

MOST = 10**7
"""Seeds or items that nobody will have."""


@dataclass(frozen=True)
class Needed:
    """Either number alone is enough, or where `together` is set only both."""

    seeds: int | None
    items: int | None
    together: bool = False


@dataclass(frozen=True)
class Difference:
    """Level `level` minus level `against` of a factor."""

    factor: str
    level: str
    against: str
    value: float
    over_items: float
    """Variance over items."""
    over_seeds: float | None
    """Variance of the mean over seeds; None with one seed."""
    items: int
    """Items in all, those of a context once."""
    seeds: int
    contexts: int

    def interval(self, confidence: float) -> Interval:
        """Two-sided; with one seed over items alone."""
        half = self._half(confidence, 1.0, 1.0)
        return Interval(low=max(self.value - half, -1.0), high=min(self.value + half, 1.0))

    def needed(self, distance: float, confidence: float) -> Needed | None:
        """What would make this very interval narrower than `distance` on each side, were the variances as they are;
        None where nothing does."""
        if distance <= 0:
            return None

        def least(now: int, half: Callable[[float], float]) -> int | None:
            return _least(now, lambda number: half(number / now) < distance)

        seeds = least(self.seeds, lambda times: self._half(confidence, times, 1.0))
        items = least(self.items, lambda times: self._half(confidence, 1.0, times))
        if seeds is not None or items is not None:
            return Needed(seeds, items)
        both = least(self.seeds, lambda times: self._half(confidence, times, times))
        return None if both is None else Needed(both, math.ceil(self.items * both / self.seeds), together=True)

    def _half(self, confidence: float, seeds: float, items: float) -> float:
        """Half the interval's width with so many times the seeds and the items."""
        from scipy import stats

        over_items, over_seeds = self.over_items / items, (self.over_seeds or 0.0) / seeds
        if over_items + over_seeds <= 0:
            return 0.0
        if self.over_seeds is None:
            freedom = max(self.items * items - 1, 1.0)
        else:
            freedom = freedom_of(over_items, over_seeds, round(self.items * items), round(self.seeds * seeds))
        return float(stats.t.ppf((1 + confidence) / 2, freedom)) * math.sqrt(over_items + over_seeds)


def _least(now: int, enough: Callable[[int], bool]) -> int | None:
    """The least number from `now` on that is enough, to a thousandth; None where none below MOST is."""
    low, high = now, now
    while not enough(high):
        if high > MOST:
            return None
        low, high = high, 2 * high
    while high - low > max(1, high // 1000):
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def differences(observations: Sequence[Observation]) -> list[Difference]:
    """Every pair of levels of every factor that some runs match, levels in the order of words."""
    found = []
    for factor in sorted({name for one in observations for name in one.factors}):
        levels = sorted({one.factors[factor] for one in observations})
        for against, level in combinations(levels, 2):
            if (one := difference(observations, factor, level, against)) is not None:
                found.append(one)
    return found


def difference(observations: Sequence[Observation], factor: str, level: str, against: str) -> Difference | None:
    """Of two levels; None where no run of one matches a run of the other on the same items."""
    return between(
        [one for one in observations if one.factors.get(factor) == level],
        [one for one in observations if one.factors.get(factor) == against],
        factor,
        (level, against),
    )


def between(
    ours: Sequence[Observation], theirs: Sequence[Observation], factor: str, names: tuple[str, str]
) -> Difference | None:
    """Of two sets of runs that are matched by all factors but one. Seeds are those that every matched context has."""
    one, other = _by_context(ours, factor), _by_context(theirs, factor)
    contexts = {key: sorted(one[key].keys() & other[key].keys()) for key in sorted(one.keys() & other.keys())}
    contexts = {key: seeds for key, seeds in contexts.items() if seeds}
    if not contexts:
        return None
    common = sorted(set.intersection(*(set(seeds) for seeds in contexts.values())))
    contexts = dict.fromkeys(contexts, common) if common else {key: seeds[:1] for key, seeds in contexts.items()}
    by_seed: dict[int, list[float]] = defaultdict(list)
    marks: dict[str, list[Marks]] = defaultdict(list)
    for key, seeds in contexts.items():
        for place, seed in enumerate(seeds):
            a, b = one[key][seed], other[key][seed]
            by_seed[seed if common else place].append(a.score - b.score)
            if not a.marks or shape(a.marks) != shape(b.marks):
                return None
            marks[a.items].append(_minus(a.marks, b.marks))
    per_seed = [fmean(values) for values in by_seed.values()]
    count = sum(len(found) for found in marks.values())
    over_items = 0.0
    for found in marks.values():
        errors = standard_errors(_mean(found), None)
        over_items += (len(found) / count * (errors[0] if errors else 0.0)) ** 2
    return Difference(
        factor=factor,
        level=names[0],
        against=names[1],
        value=fmean(per_seed),
        over_items=over_items,
        over_seeds=variance(per_seed) / len(per_seed) if len(per_seed) > 1 else None,
        items=sum(sum(shape(found[0]).values()) for found in marks.values()),
        seeds=len(per_seed),
        contexts=len(contexts),
    )


def _by_context(observations: Sequence[Observation], factor: str) -> dict[tuple[object, ...], dict[int, Observation]]:
    """All factors but one, and the items → seed → the run."""
    found: dict[tuple[object, ...], dict[int, Observation]] = defaultdict(dict)
    for one in observations:
        key = (one.items, *sorted((name, level) for name, level in one.factors.items() if name != factor))
        found[key].setdefault(one.seed, one)
    return found


def _minus(a: Marks, b: Marks) -> dict[str, list[float]]:
    return {task: [x - y for x, y in zip(a[task], b[task], strict=True)] for task in sorted(a)}


def _mean(found: Sequence[Mapping[str, Sequence[float]]]) -> dict[str, list[float]]:
    return {
        task: [sum(item) / len(found) for item in zip(*(one[task] for one in found), strict=True)]
        for task in sorted(found[0])
    }
