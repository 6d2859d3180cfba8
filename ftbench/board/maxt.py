"""Which pairs of rows differ, with one error for the whole table: studentised sign flips, max-T, step-down.

Row a's score is a sum over clusters of items, x_a = Σ c_ga. If a and b are equally good, every d_g = c_ga − c_gb may
as well have the other sign. One sign a cluster is drawn for all pairs at once, so that the dependence between pairs is
kept, and the signed sums of rows give those of pairs by subtraction: one matrix product for a whole table.

P. H. Westfall and S. S. Young, "Resampling-based multiple testing" (1993), step-down max-T; J. P. Romano and M. Wolf,
"Exact and approximate stepdown methods for multiple hypothesis testing", JASA 100 (2005) 94–108; A. M. Winkler et al.,
"Permutation inference for the general linear model", NeuroImage 92 (2014) 381–397, for sign flips of whole blocks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Singles = NDArray[np.float32]

FLIPS = 10_000
"""Sign vectors that are drawn. Where clusters are so few that there are no more than these, all are enumerated."""
BLOCK = 500
"""Sign vectors at a time."""
SLACK = 1e-4
"""Two statistics this near are equal: sums are made in single precision, and ties count against the hypothesis."""


@dataclass(frozen=True)
class Family:
    """What the test says of each pair, in the order given."""

    statistics: Sequence[float]
    """Σ d / √(Σ d² + v), v the variance that the choice of seeds adds."""
    p_values: Sequence[float]
    """Adjusted for the whole table: pairs at most 1 − confidence differ, with that chance of one false among them."""
    critical: float
    """What the largest statistic of a table of equal rows exceeds with chance 1 − confidence."""


@dataclass(frozen=True)
class SeedNoise:
    """What the choice of seeds adds to the rows' scores."""

    errors: Sequence[float]
    """Standard error of each row's score over seeds, in units of the score; 0 for a row that claims one adapter."""
    freedom: float
    """Degrees of freedom behind them."""


def test(
    sums: Floats,
    pairs: Sequence[tuple[int, int]],
    confidence: float,
    *,
    seed: int,
    flips: int = FLIPS,
    noise: SeedNoise | None = None,
) -> Family:
    """Test every pair of columns of `sums` (clusters × rows; a column sums to the row's score).

    `seed` starts the generator of the signs: the same table gives the same figures. Raises ValueError for no pairs.
    """
    import numpy as np

    if not pairs:
        raise ValueError("there are no pairs to test")
    left, right = np.array(pairs, dtype=np.intp).T
    centred = sums - sums.mean(axis=1, keepdims=True)  # what all rows share cancels in every difference
    told = centred[np.abs(centred).max(axis=1) > 0]
    scale = float(np.abs(told).max()) if told.size else 1.0
    told = told / scale
    errors = np.zeros(sums.shape[1]) if noise is None else np.asarray(noise.errors, dtype=np.float64) / scale
    norms = np.sqrt(_squares(told, left, right) + errors[left] ** 2 + errors[right] ** 2)
    totals = told.sum(axis=0)
    observed = np.divide(np.abs(totals[left] - totals[right]), norms, out=np.zeros(len(pairs)), where=norms > 1e-12)
    order = np.argsort(observed, kind="stable")
    rows = (left[order], right[order])
    every = (noise is None or not errors.any()) and len(told) < 31 and 2 ** len(told) <= flips
    kind = np.float64 if every else np.float32  # few vectors: exactly
    thresholds = (observed[order] * (1 - (SLACK / 1e5 if every else SLACK))).astype(kind)
    inverse = _inverse(norms[order]).astype(kind)
    flipped = _flipped(told.astype(kind), 2 ** len(told) if every else flips, seed, errors, noise)
    sums_of_rows = np.ascontiguousarray(np.concatenate(list(flipped)).T)
    counts, largest = _reached(sums_of_rows, rows, inverse, thresholds)
    extra = 0 if every else 1  # the vector that was observed is one of them; in a full list it stands already
    adjusted = (counts + extra) / (sums_of_rows.shape[1] + extra)
    adjusted = np.maximum.accumulate(adjusted[::-1])[::-1]
    p_values = np.empty(len(pairs))
    p_values[order] = np.where(thresholds > 0, adjusted, 1.0)
    return Family(
        statistics=[float(one) for one in observed],
        p_values=[float(one) for one in p_values],
        critical=float(np.quantile(largest, confidence, method="higher")),
    )


def _reached(
    sums: Floats | Singles,
    rows: tuple[NDArray[np.intp], NDArray[np.intp]],
    inverse: NDArray[Any],
    thresholds: NDArray[Any],
) -> tuple[NDArray[np.int64], Floats | Singles]:
    """How many sign vectors' largest statistic of a pair and of all before it reaches its threshold; and the largest.

    `sums`: rows × sign vectors. Pair by pair, since what one needs stays in a processor's cache."""
    import numpy as np

    counts = np.zeros(len(thresholds), dtype=np.int64)
    most, found = np.zeros(sums.shape[1], dtype=sums.dtype), np.empty(sums.shape[1], dtype=sums.dtype)
    for at, (left, right) in enumerate(zip(*rows, strict=True)):
        np.subtract(sums[left], sums[right], out=found)
        np.abs(found, out=found)
        np.multiply(found, inverse[at], out=found)
        np.maximum(found, most, out=most)
        counts[at] = np.count_nonzero(most >= thresholds[at])
    return counts, most


def _squares(told: Floats, left: NDArray[np.intp], right: NDArray[np.intp]) -> Floats:
    """Σ (c_a − c_b)² of every pair, from one product."""
    import numpy as np

    products = told.T @ told
    own = np.diag(products)
    found: Floats = np.maximum(own[left] + own[right] - 2 * products[left, right], 0.0)
    found[found < 1e-9 * np.maximum(own[left] + own[right], 1e-300)] = 0.0
    return found


def _inverse(norms: Floats) -> Floats:
    import numpy as np

    found: Floats = np.divide(1.0, norms, out=np.zeros(len(norms)), where=norms > 1e-12)
    return found


def _flipped(
    told: Floats | Singles, count: int, seed: int, errors: Floats, noise: SeedNoise | None
) -> Iterator[Floats | Singles]:
    """Signed sums of every row, a block of sign vectors at a time: all of them where `told` is in double precision."""
    import numpy as np

    generator = np.random.default_rng(seed)
    clusters = len(told)
    bits: NDArray[Any]
    every = told.dtype == np.float64
    for start in range(0, count, BLOCK):
        size = min(BLOCK, count - start)
        if every:
            numbers = np.arange(start, start + size, dtype=np.int64)
            bits = ((numbers[:, None] >> np.arange(clusters)) & 1).astype(told.dtype)
        else:
            packed = np.frombuffer(generator.bytes(size * ((clusters + 7) // 8)), dtype=np.uint8)
            bits = np.unpackbits(packed.reshape(size, -1), axis=1, count=clusters).astype(np.float32)
        bits *= 2
        bits -= 1
        sums: Floats | Singles = bits @ told
        if noise is not None and errors.any():
            # One estimated variance is behind all rows: its error is the same for all, as in the multivariate t.
            wrong = np.sqrt(noise.freedom / generator.chisquare(noise.freedom, size=(size, 1)))
            drawn = wrong * generator.standard_normal(size=(size, len(errors)))
            sums = sums + (drawn * errors).astype(np.float32)
        yield sums
