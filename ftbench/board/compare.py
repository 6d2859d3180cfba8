"""Whether two rows can be told apart, with one error for the whole table, and the ranks that follow."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from math import sqrt
from statistics import NormalDist, median, variance
from typing import TYPE_CHECKING

from ftbench.board import maxt
from ftbench.board.model import Rank
from ftbench.board.submission import Clusters, Marks
from ftbench.result.documents import Interval

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

POWER = 0.8
"""Chance with which the smallest visible difference would be seen."""
METHOD = 3
"""Seeds from which on a row stands for a method."""
OUTLYING = 4
"""Times the table's pooled variance over seeds; with three seeds an ordinary row is beyond it in 2 of 100 cases."""
PAIRS = 1_000
"""Pairs whose items are in memory at a time."""


@dataclass(frozen=True)
class Contender:
    """What a comparison needs of a row."""

    score: float
    interval: Interval
    marks: Marks
    seeds: Sequence[float] = ()
    """Score of each seed; fewer than METHOD say nothing of a method."""
    seed_marks: Sequence[Marks] = ()
    """Marks of each seed, where they are known."""


@dataclass(frozen=True)
class Pair:
    """Row `a` minus row `b`, by their places."""

    a: int
    b: int
    difference: float
    error: float | None
    """Standard error over items; null where the two could not be paired."""
    clustered: float | None
    """The same over clusters; null without clusters."""
    p_value: float | None
    """Adjusted for all pairs of the table."""
    apart: bool


@dataclass(frozen=True)
class Comparison:
    """Every pair of a table that was tested."""

    pairs: list[Pair] = field(default_factory=list)
    smallest: float | None = None
    """The smallest difference that would be seen with chance POWER, by the median standard error; null unpaired."""


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


def compare(
    rows: Sequence[Contender],
    confidence: float,
    *,
    pairs: Sequence[tuple[int, int]] | None = None,
    clusters: Clusters | None = None,
    seed: int = 0,
    flips: int = maxt.FLIPS,
) -> Comparison:
    """Test all pairs, or those given, so that one false separation in the whole table has chance 1 − `confidence`.

    Rows with the same items are tested together (`maxt`), each such group at its share of the error. Pairs without
    common items are apart where their intervals, widened to Bonferroni's level, do not overlap, which is stricter.
    """
    wanted = list(combinations(range(len(rows)), 2)) if pairs is None else list(pairs)
    if not wanted:
        return Comparison()
    groups: dict[tuple[tuple[str, int], ...], list[tuple[int, int]]] = defaultdict(list)
    rest = []
    for a, b in wanted:
        if paired(rows[a], rows[b]):
            groups[tuple(sorted(shape(rows[a].marks).items()))].append((a, b))
        else:
            rest.append((a, b))
    share = (1 - confidence) / len(wanted)
    found: dict[tuple[int, int], Pair] = {}
    visible = []
    for group in groups.values():
        made, smallest = _paired(rows, group, 1 - share * len(group), clusters or {}, seed, flips)
        found |= {(one.a, one.b): one for one in made}
        visible.append(smallest)
    found |= {(a, b): _unpaired(rows, a, b, confidence, 1 - share) for a, b in rest}
    known = [one for one in visible if one is not None]
    return Comparison([found[pair] for pair in wanted], max(known) if known else None)


def differ(a: Contender, b: Contender, confidence: float) -> bool:
    """Whether two rows that stand alone can be told apart; for one task and one run each by McNemar's exact test."""
    return compare([a, b], confidence).pairs[0].apart


def ranks(count: int, pairs: Sequence[Pair]) -> list[Rank]:
    """The rank of each of the first `count` rows among them: rows that cannot be told apart share places."""
    better, worse = [0] * count, [0] * count
    for one in pairs:
        if one.apart and one.a < count and one.b < count:
            above, below = (one.a, one.b) if one.difference > 0 else (one.b, one.a)
            better[below] += 1
            worse[above] += 1
    return [Rank(best=1 + up, worst=count - down) for up, down in zip(better, worse, strict=True)]


def standard_errors(marks: Marks, clusters: Clusters | None) -> tuple[float, float | None] | None:
    """Of the mean over tasks: over items, and over clusters where some task names them; None without items.

    Over items √Σ_t s_t² / n_t / m; over clusters √(G / (G − 1) · Σ_g (Σ_{j ∈ g} w_j (x_j − x̄_t))²), w_j = 1 / (m n_t)
    (K.-Y. Liang and S. L. Zeger, Biometrika 73 (1986) 13–22; E. Miller, arXiv 2411.00640).
    """
    if not marks or not all(marks.values()):
        return None
    import numpy as np

    index = _index(shape(marks), clusters or {})
    columns = np.concatenate([np.asarray(marks[task], dtype=np.float64) for task in sorted(marks)])[:, None]
    plain, clustered = _errors(columns, shape(marks), index)
    return float(plain[0]), float(clustered[0]) if _named(shape(marks), clusters or {}) else None


def _paired(  # noqa: PLR0917
    rows: Sequence[Contender],
    pairs: Sequence[tuple[int, int]],
    confidence: float,
    clusters: Clusters,
    seed: int,
    flips: int,
) -> tuple[list[Pair], float | None]:
    import numpy as np

    places = sorted({place for pair in pairs for place in pair})
    column = {place: number for number, place in enumerate(places)}
    sizes = shape(rows[places[0]].marks)
    index = _index(sizes, clusters)
    marks = np.array(
        [
            np.concatenate([np.asarray(rows[one].marks[task], dtype=np.float64) for task in sorted(sizes)])
            for one in places
        ]
    ).T
    sums = _sums(marks * _weights(sizes)[:, None], index)
    local = [(column[a], column[b]) for a, b in pairs]
    noise = _noise([rows[place] for place in places], sizes, index)
    family = maxt.test(sums, local, confidence, seed=seed, flips=flips, noise=noise)
    left, right = np.array(local).T
    plain, clustered = (
        np.concatenate(one) for one in zip(*_differences(marks, left, right, sizes, index), strict=True)
    )
    named = _named(sizes, clusters)
    extra = np.zeros(len(places)) if noise is None else np.asarray(noise.errors)
    whole = np.sqrt((clustered if named else plain) ** 2 + extra[left] ** 2 + extra[right] ** 2)
    steps = [float(one) for one in whole if one > 0]
    smallest = (family.critical + NormalDist().inv_cdf(POWER)) * median(steps) if steps else None
    found = [
        Pair(
            a=a,
            b=b,
            difference=rows[a].score - rows[b].score,
            error=float(plain[number]),
            clustered=float(clustered[number]) if named else None,
            p_value=family.p_values[number],
            apart=family.p_values[number] <= 1 - confidence + 1e-12,
        )
        for number, (a, b) in enumerate(pairs)
    ]
    return found, smallest


def _differences(
    marks: Floats, left: NDArray[np.intp], right: NDArray[np.intp], sizes: Mapping[str, int], index: NDArray[np.intp]
) -> Iterator[tuple[Floats, Floats]]:
    """`_errors` of columns less columns, some pairs at a time: a table of many rows has many more pairs."""
    import numpy as np

    parts = max(1, len(left) // PAIRS)
    for a, b in zip(np.array_split(left, parts), np.array_split(right, parts), strict=True):
        yield _errors(marks[:, a] - marks[:, b], sizes, index)


def _noise(rows: Sequence[Contender], sizes: Mapping[str, int], index: NDArray[np.intp]) -> maxt.SeedNoise | None:
    """What seeds add to the scores of rows that stand for a method.

    A row's variance over seeds, less what items and seeds do together, which differences over items hold already, is
    pooled over the table's methods; a row whose variance is OUTLYING times the pooled one keeps its own.
    """
    methods = {number: row for number, row in enumerate(rows) if len(row.seeds) >= METHOD}
    freedom = sum(len(row.seeds) - 1 for row in methods.values())
    if not freedom:
        return None
    spread = {number: variance(row.seeds) for number, row in methods.items()}
    beside = {number: _interaction(row, sizes, index) for number, row in methods.items()}
    weights = {number: (len(row.seeds) - 1) / freedom for number, row in methods.items()}
    whole = sum(weights[number] * spread[number] for number in methods)
    pooled = max(whole - sum(weights[number] * beside[number] for number in methods), 0.0)
    errors = [0.0] * len(rows)
    for number, row in methods.items():
        own = spread[number] - beside[number]
        taken = max(own, pooled) if spread[number] > OUTLYING * whole else pooled
        errors[number] = sqrt(taken / len(row.seeds))
    # What is left after a subtraction is known worse than what it was taken from (Satterthwaite).
    left = max(2.0, freedom * (pooled / whole) ** 2) if whole > 0 else 2.0
    return maxt.SeedNoise(errors, left) if any(errors) else None


def _interaction(row: Contender, sizes: Mapping[str, int], index: NDArray[np.intp]) -> float:
    """The variance of one seed's score that comes from items (clusters) answered otherwise by chance: Σ_g s_g²."""
    import numpy as np

    if any(shape(marks) != sizes for marks in row.seed_marks) or len(row.seed_marks) < 2:
        return 0.0
    runs = np.array([[mark for task in sorted(sizes) for mark in marks[task]] for marks in row.seed_marks]).T
    return float(_sums(runs * _weights(sizes)[:, None], index).var(axis=1, ddof=1).sum())


def _unpaired(rows: Sequence[Contender], a: int, b: int, confidence: float, level: float) -> Pair:
    ratio = NormalDist().inv_cdf((1 + level) / 2) / NormalDist().inv_cdf((1 + confidence) / 2)
    (low, high), (other_low, other_high) = (
        (
            one.score - ratio * (one.score - one.interval.low),
            one.score + ratio * (one.interval.high - one.score),
        )
        for one in (rows[a], rows[b])
    )
    apart = low > other_high or other_low > high
    return Pair(a, b, rows[a].score - rows[b].score, None, None, None, apart)


def _weights(sizes: Mapping[str, int]) -> Floats:
    """Each item's share of the mean over tasks, tasks in the order of names."""
    import numpy as np

    return np.concatenate([np.full(sizes[task], 1 / (len(sizes) * sizes[task])) for task in sorted(sizes)])


def _index(sizes: Mapping[str, int], clusters: Clusters) -> NDArray[np.intp]:
    """The cluster of every item, counted from 0; an item of a task without clusters is one by itself."""
    import numpy as np

    numbers: dict[object, int] = {}
    found = []
    for task in sorted(sizes):
        labels = clusters.get(task)
        known = labels is not None and len(labels) == sizes[task]
        for place in range(sizes[task]):
            key = labels[place] if known and labels is not None else (task, place)
            found.append(numbers.setdefault(key, len(numbers)))
    return np.array(found, dtype=np.intp)


def _named(sizes: Mapping[str, int], clusters: Clusters) -> bool:
    return any(len(clusters.get(task, ())) == size for task, size in sizes.items())


def _sums(columns: Floats, index: NDArray[np.intp]) -> Floats:
    """Sums over clusters, column by column."""
    import numpy as np

    count = int(index.max()) + 1
    if count == len(index):
        return columns  # no two items share one
    return np.stack([np.bincount(index, weights=column, minlength=count) for column in columns.T], axis=1)


def _errors(columns: Floats, sizes: Mapping[str, int], index: NDArray[np.intp]) -> tuple[Floats, Floats]:
    """Standard error of the mean over tasks of each column: over items, and over clusters."""
    import numpy as np

    centred, squares, start = columns.copy(), np.zeros(columns.shape[1]), 0
    for task in sorted(sizes):
        part = slice(start, start + sizes[task])
        centred[part] -= centred[part].mean(axis=0)
        correction = sizes[task] / max(sizes[task] - 1, 1)
        squares += correction * (centred[part] ** 2).sum(axis=0) / (len(sizes) * sizes[task]) ** 2
        start += sizes[task]
    sums = _sums(centred * _weights(sizes)[:, None], index)
    clusters = len(sums)
    return np.sqrt(squares), np.sqrt(clusters / max(clusters - 1, 1) * (sums**2).sum(axis=0))


def compared_by(pairs: Sequence[Pair]) -> set[bool]:
    """Whether pairs were tested on the same items: all of them, none, or both."""
    return {one.p_value is not None for one in pairs}
