"""Whether two rows can be told apart, and the ranks that follow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist

from ftbench.board.model import Rank
from ftbench.board.submission import Marks
from ftbench.result.documents import Interval


@dataclass(frozen=True)
class Contender:
    """What a comparison needs of a row."""

    score: float
    interval: Interval
    marks: Marks


def mean_marks(runs: Sequence[Marks]) -> dict[str, list[float]]:
    """Item by item the mean over runs; empty where the runs do not have the same items."""
    if not runs or any(shape(run) != shape(runs[0]) for run in runs):
        return {}
    return {
        task: [sum(item) / len(runs) for item in zip(*(run[task] for run in runs), strict=True)]
        for task in sorted(runs[0])
    }


def shape(marks: Marks) -> dict[str, int]:
    """Task → number of items."""
    return {task: len(items) for task, items in marks.items()}


def paired(a: Contender, b: Contender) -> bool:
    """Whether both have samples of the same items, so that a paired test can be made."""
    return bool(a.marks) and shape(a.marks) == shape(b.marks) and all(shape(a.marks).values())


def differ(a: Contender, b: Contender, confidence: float) -> bool:
    """Whether the two scores can be told apart at `confidence`.

    Paired where both have samples of the same items: under the hypothesis that the two are equally good, swapping
    them on any item changes nothing, so that the difference of the means over tasks is a sum of terms with free signs.
    Its normal approximation with continuity correction is used; for one task and one run each this is McNemar's test
    with Edwards' correction (1948). Without samples: the two intervals do not overlap, which is stricter.
    """
    if not paired(a, b):
        return a.interval.low > b.interval.high or b.interval.low > a.interval.high
    terms = _terms(a.marks, b.marks)
    steps = [abs(term) for term in terms if term]
    if not steps:
        return False
    critical = NormalDist().inv_cdf(0.5 + confidence / 2)
    return (abs(sum(terms)) - min(steps)) / sqrt(sum(step * step for step in steps)) > critical


def _terms(a: Mapping[str, Sequence[float]], b: Mapping[str, Sequence[float]]) -> list[float]:
    """Each item's share of the difference between the two means over tasks."""
    return [
        (mine - theirs) / (len(a) * len(a[task]))
        for task in sorted(a)
        for mine, theirs in zip(a[task], b[task], strict=True)
    ]


def ranks(rows: Sequence[Contender], confidence: float) -> list[Rank]:
    """The rank of each row as an interval: rows that cannot be told apart share places."""
    found = []
    for row in rows:
        apart = [other for other in rows if other is not row and differ(row, other, confidence)]
        better = sum(other.score > row.score for other in apart)
        worse = sum(other.score < row.score for other in apart)
        found.append(Rank(best=1 + better, worst=len(rows) - worse))
    return found
