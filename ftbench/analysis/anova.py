"""Shares of variance: which factor, and which pair of factors, the score goes by.

A plain analysis of variance of the runs' scores by least squares: main effects, the interactions of two factors that
the design can tell, and the seed as a block. Sums of squares are each term's beyond all terms that do not contain it
(type II); in a balanced design they add up to the whole. Assumed: the levels and the items are these and no sample of
others, what is left over is independent between runs and equally spread. The F test and its interval go by that.

Share: the term's part of the variance of scores, estimated without what chance gives every term (ω²: W. L. Hays,
Statistics, 1963), its interval by inverting the noncentral F distribution (J. H. Steiger, Psychological Methods 9
(2004) 164–182) with the other terms at their estimates.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import TYPE_CHECKING, Any

from ftbench.analysis.documents import Share
from ftbench.analysis.observations import Observation
from ftbench.result.documents import Interval

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

SEED, LEFT = "seed", "left over"
JOINT = " × "
LEAST_FREEDOM = 2
"""Degrees of freedom that must be left over for any test."""


def shares(observations: Sequence[Observation], confidence: float) -> list[Share]:
    """Every term with its share, the largest first, then the seeds' and what is left over.

    p-values are adjusted for all terms (S. Holm, Scandinavian Journal of Statistics 6 (1979) 65–70). Empty where there
    is no factor, or too few runs for what is left over to be known.
    """
    import numpy as np
    from scipy import stats

    scores = np.array([one.score for one in observations])
    blocks = _blocks(observations)
    if not blocks or len(scores) < 3:
        return []
    terms = _estimable(blocks, len(scores))
    total = float(((scores - scores.mean()) ** 2).sum())
    whole, rank = _residual(list(terms.values()), scores)
    freedom = len(scores) - rank
    if total <= 0 or freedom < LEAST_FREEDOM:
        return []
    error = whole / freedom
    found: list[tuple[str, float, int]] = []
    for name in terms:
        others = {other: block for other, block in terms.items() if not _contains(other, name)}
        without, less = _residual([b for other, b in others.items() if other != name], scores)
        having, more = _residual(list(others.values()), scores)
        found.append((name, without - having, more - less))
    noise = max(error, 1e-15 * total)
    counts = len(scores)
    signal = {name: max(0.0, square / noise * max(freedom - 2, 1) / freedom - df) for name, square, df in found}
    tested = [(name, square, df) for name, square, df in found if name != SEED and df > 0]
    raw = {name: float(stats.f.sf(square / df / noise, df, freedom)) for name, square, df in tested}
    adjusted = holm(raw)
    made = []
    for name, square, df in found:
        rest = sum(value for other, value in signal.items() if other != name)
        low, high = _noncentrality(square / max(df, 1) / noise, df, freedom, confidence) if df else (0.0, 0.0)
        made.append(
            Share(
                term=name,
                freedom=df,
                share=max(0.0, (square - df * error) / (total + error)),
                interval=Interval(low=low / (low + rest + counts), high=high / (high + rest + counts)),
                p_value=adjusted.get(name),
            )
        )
    made.sort(key=lambda one: (one.term == SEED, -one.share, one.term))
    left = 1 - sum(one.share for one in made)
    return [*made, Share(term=LEFT, freedom=freedom, share=max(0.0, left), interval=None, p_value=None)]


def holm(raw: Mapping[str, float]) -> dict[str, float]:
    """p-values adjusted for how many there are, step by step from the smallest."""
    ordered, last, found = sorted(raw, key=lambda name: (raw[name], name)), 0.0, {}
    for place, name in enumerate(ordered):
        last = max(last, min(1.0, raw[name] * (len(ordered) - place)))
        found[name] = last
    return found


def _blocks(observations: Sequence[Observation]) -> dict[str, Floats]:
    """Term → indicator columns of its levels, less one; interactions are their products."""
    import numpy as np

    factors = {name: [one.factors[name] for one in observations] for name in observations[0].factors}
    made: dict[str, Floats] = {name: _indicators(values) for name, values in sorted(factors.items())}
    seeds = [str(one.seed) for one in observations]
    pairs = {
        f"{a}{JOINT}{b}": np.concatenate([made[a][:, [i]] * made[b] for i in range(made[a].shape[1])], axis=1)
        for a, b in combinations(sorted(factors), 2)
    }
    if len(set(seeds)) > 1 and factors:
        made[SEED] = _indicators(seeds)
    return {**made, **pairs} if factors else {}


def _indicators(values: Sequence[str]) -> Floats:
    import numpy as np

    levels = sorted(set(values))
    return np.array([[float(value == level) for level in levels[1:]] for value in values])


def _estimable(blocks: Mapping[str, Floats], runs: int) -> dict[str, Floats]:
    """Main effects and seeds, then those interactions that add something and leave LEAST_FREEDOM."""
    kept: dict[str, Floats] = {name: block for name, block in blocks.items() if JOINT not in name}
    for name, block in blocks.items():
        if JOINT not in name:
            continue
        before, after = _rank(list(kept.values()), runs), _rank([*kept.values(), block], runs)
        if after > before and runs - after >= LEAST_FREEDOM:
            kept[name] = block
    return kept


def _contains(other: str, name: str) -> bool:
    """Whether a term is an interaction of a factor with another."""
    return JOINT in other and JOINT not in name and name in other.split(JOINT)


def _design(blocks: Sequence[Floats], runs: int) -> Floats:
    import numpy as np

    return np.concatenate([np.ones((runs, 1)), *blocks], axis=1)


def _rank(blocks: Sequence[Floats], runs: int) -> int:
    import numpy as np

    return int(np.linalg.matrix_rank(_design(blocks, runs)))


def _residual(blocks: Sequence[Floats], scores: Floats) -> tuple[float, int]:
    """Sum of squares that is left, and the rank of the design."""
    import numpy as np

    design = _design(blocks, len(scores))
    solution, _, rank, _ = np.linalg.lstsq(design, scores, rcond=None)
    return float(((scores - design @ solution) ** 2).sum()), int(rank)


def _noncentrality(f: float, df: int, freedom: int, confidence: float) -> tuple[float, float]:
    """Interval of the noncentrality of which `f` is a draw."""
    from scipy import optimize, stats

    def at(share: float) -> float:
        def gap(noncentrality: float) -> Any:
            return stats.ncf.cdf(f, df, freedom, noncentrality) - share

        if stats.f.cdf(f, df, freedom) <= share:
            return 0.0
        high = 10.0
        while gap(high) > 0 and high < 1e9:
            high *= 4
        return float(optimize.brentq(gap, 0.0, high, xtol=1e-6, rtol=1e-9)) if gap(high) < 0 else high

    half = (1 - confidence) / 2
    return at(1 - half), at(half)
