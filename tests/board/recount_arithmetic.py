"""The formulas of docs/scoring.md for one table of marks: numpy, nothing of ftbench."""

from __future__ import annotations

import math
from collections import defaultdict
from fractions import Fraction
from statistics import NormalDist

import numpy as np


def wilson(k: int, n: int, confidence: float) -> tuple[float, float, float]:
    """The share with the two roots of |p - k/n| = z sqrt(p (1 - p) / n)."""
    z2, p = NormalDist().inv_cdf((1 + confidence) / 2) ** 2, k / n
    low, high = sorted(np.roots([1 + z2 / n, -(2 * p + z2 / n), p * p]).real)
    return p, 0.0 if k == 0 else float(low), 1.0 if k == n else float(high)


def mover(parts: list[tuple[float, float, float]], least: float) -> tuple[float, float, float]:
    value, low, high = np.array(parts).T
    mean = value.mean()
    if len(parts) == 1:
        return parts[0]
    below, above = (float(np.linalg.norm(one)) / len(parts) for one in (value - low, high - value))
    return float(mean), max(float(mean) - below, least), min(float(mean) + above, 1.0)


def newcombe(after: np.ndarray, before: np.ndarray, confidence: float) -> tuple[float, float, float]:
    n = len(after)
    both, gained = int((after & before).sum()), int((after & ~before).sum())
    lost, neither = int((~after & before).sum()), int((~after & ~before).sum())
    (p2, l2, u2), (p1, l1, u1) = wilson(both + gained, n, confidence), wilson(both + lost, n, confidence)
    margins = (both + gained) * (lost + neither) * (both + lost) * (gained + neither)
    top = both * neither - gained * lost
    phi = (max(top - n / 2, 0) if top > 0 else top) / math.sqrt(margins) if margins else 0.0
    low = math.sqrt(max((p2 - l2) ** 2 - 2 * phi * (p2 - l2) * (u1 - p1) + (u1 - p1) ** 2, 0))
    high = math.sqrt(max((u2 - p2) ** 2 - 2 * phi * (u2 - p2) * (p1 - l1) + (p1 - l1) ** 2, 0))
    value = (gained - lost) / n
    return value, max(value - low, -1.0), min(value + high, 1.0)


def randomisation(changes: list[tuple[int, int, int]]) -> float:
    """P(|sum of signs / n_t| at least as large), exactly, over (items, gained, lost) of each task."""
    chances = {Fraction(0): 1}
    for items, gained, lost in changes:
        there: dict[Fraction, int] = defaultdict(int)
        for place, ways in chances.items():
            for k in range(gained + lost + 1):
                there[place + Fraction(2 * k - gained - lost, items)] += ways * math.comb(gained + lost, k)
        chances = there
    seen = abs(sum((Fraction(gained - lost, items) for items, gained, lost in changes), Fraction(0)))
    whole = 2 ** sum(gained + lost for _, gained, lost in changes)
    return float(Fraction(sum(ways for place, ways in chances.items() if abs(place) >= seen), whole))


def t_quantile(share: float, freedom: float) -> float:
    """Student's t by bisection. In x = sqrt(freedom) tan(angle) its density is a power of a cosine."""

    def area(end: float) -> float:
        powers = np.cos(np.linspace(0, end, 4001)) ** (freedom - 1)
        return end / 12000 * float(powers[0] + powers[-1] + 4 * powers[1::2].sum() + 2 * powers[2:-1:2].sum())

    low, high, whole = 0.0, math.pi / 2, area(math.pi / 2)
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if area(middle) / whole < 2 * share - 1 else (low, middle)
    return math.sqrt(freedom) * math.tan(low)
