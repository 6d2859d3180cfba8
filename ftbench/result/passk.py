"""pass@k: the chance that at least one of k programs passes, estimated without bias from n ≥ k generated ones.

The estimator of Chen et al., "Evaluating Large Language Models Trained on Code" (arXiv 2107.03374, section 2.1), in
whole numbers: their floating-point product is a rounding of it. With n = k = 1 it is the share of passing programs.
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from math import comb


def pass_at_k(generated: int, passed: int, k: int) -> Fraction:
    """1 - C(n-c, k) / C(n, k) for a problem with c of n programs passing. ValueError unless 0 ≤ c ≤ n and 1 ≤ k ≤ n."""
    if not 0 <= passed <= generated:
        raise ValueError(f"{passed} of {generated} programs can't have passed")
    if not 1 <= k <= generated:
        raise ValueError(f"pass@{k} can't be estimated from {generated} programs: k lies in 1 to their number")
    return 1 - Fraction(comb(generated - passed, k), comb(generated, k))


def mean_pass_at_k(problems: Iterable[tuple[int, int]], k: int) -> Fraction:
    """The plain mean of pass@k over problems given as (programs generated, programs passed). ValueError if empty."""
    values = [pass_at_k(generated, passed, k) for generated, passed in problems]
    if not values:
        raise ValueError("there is no problem to take the mean over")
    return sum(values, Fraction(0)) / len(values)
