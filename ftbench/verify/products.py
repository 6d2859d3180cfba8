"""Whether the product of two factors is zero, in time that grows with the factors and not with their product.

B·A is never formed: a gigabyte of factors of rank 1 makes 2⁵² numbers. With fixed vectors w and x of numbers between
−1 and 1, w·B·A·x takes one walk through each factor. Where it is not zero neither is B·A, some element of which is at
least |w·B·A·x| / (out · in). Of a product that is not zero it comes out zero by chance alone, since w and x have
nothing to do with any training; who builds a product for which it does has only their own adapter refused.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from ftbench.result.adapter import Tensor

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

CHUNK = 2**18
"""Elements of a factor that are looked at together."""
ROUNDING = 2.0**-51
"""Four times the relative error of one operation in float64."""
LEFT, RIGHT = 2**62, 0
"""Where w and x begin in the one sequence that both are cut from."""


def least(b: Tensor, a: Tensor) -> float:
    """A number that the largest element of B·A is not below, in size; 0.0 where none can be shown.

    Factors are float32 and vectors of 24 bits, so a product of two numbers is exact in float64 and only sums are
    rounded: the most that this can come to is taken off. So what cancels but for rounding counts as zero, as do factors
    that do not fit each other or hold what is not finite.
    """
    import numpy as np

    if len(b.shape) != 2 or len(a.shape) != 2 or b.shape[1] != a.shape[0] or not (a.data and b.data):
        return 0.0
    factor_b, factor_a = (np.frombuffer(one.data, dtype="<f4").reshape(one.shape) for one in (b, a))
    (height, rank), width = b.shape, a.shape[1]
    found, size = 0.0, 0.0
    with np.errstate(all="ignore"):  # what is not finite ends as what is not finite
        for begin in range(0, rank, CHUNK):
            part = slice(begin, begin + CHUNK)
            of_a, most_of_a = _sums(factor_a[part], RIGHT)
            of_b, most_of_b = _sums(factor_b[:, part].T, LEFT)
            found += float(np.einsum("i,i->", of_b, of_a))
            size += float(np.einsum("i,i->", most_of_b, most_of_a))
    shown = abs(found) - ROUNDING * (height + rank + width + 8) * size
    return shown / height / width if 0.0 < shown < float("inf") else 0.0


def _sums(rows: NDArray[np.float32], start: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Each row times the vector that begins there; and the same without signs, by which errors are measured."""
    import numpy as np

    count, length = rows.shape
    wide = min(length, CHUNK)
    high = CHUNK // wide
    found, sizes = np.zeros(count), np.zeros(count)
    for left in range(0, length, wide):
        vector = _vector(start + left, min(wide, length - left))
        size = np.abs(vector)
        for top in range(0, count, high):
            block = rows[top : top + high, left : left + wide].astype(np.float64)
            # Not `@`: its threads wait for one another where the machine has other work.
            found[top : top + high] += np.einsum("ij,j->i", block, vector)
            sizes[top : top + high] += np.einsum("ij,j->i", np.abs(block, out=block), size)
    return found, sizes


@lru_cache(maxsize=8)
def _vector(start: int, count: int) -> NDArray[np.float64]:
    """Odd multiples of 2⁻²⁴ between −1 and 1, so that none is 0; by SplitMix64, that is, the same everywhere."""
    import numpy as np

    bits = np.arange(start, start + count, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    bits ^= bits >> np.uint64(31)
    found: NDArray[np.float64] = (2 * (bits >> np.uint64(40)).astype(np.float64) + 1) * 2.0**-24 - 1
    return found
