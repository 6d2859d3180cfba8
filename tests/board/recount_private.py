"""What a run gave away: epsilon from the papers' formulas by integrals of densities, and the exposure of canaries.

Two clips is what replacing one client moves the sum of clipped changes by, so noise of z clips has s = z / 2 times the
sensitivity. docs/privacy.md states an upper bound, the smaller of two; both are counted here, and that number is what a
ledger must tell, to RELATIVE. Besides, what was told must not be below what one pair of federations really leaks
(`least`), which no accountant's theorem has a part in.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import Any

import numpy as np

JSON = dict[str, Any]
RELATIVE = 1e-11
"""Quadrature and bisection here, closed forms and root finding there: measured, 1e-14."""
ORDERS = [*(tenth / 10 for tenth in range(11, 110)), *map(float, range(11, 64)), 128.0, 256.0]
"""Rényi orders that `dp-accounting` 0.6 tries, but for 512 and 1024. Each gives a bound that holds, the least counts:
with more of them a little less might be told, which would hold as well and would not be the number told."""


def bisected(spent: Callable[[float], float], delta: float) -> float:
    """The epsilon at which a falling function of it comes down to delta."""
    low, high = 0.0, 1.0
    while spent(high) > delta:
        low, high = high, 2 * high
    for _ in range(70):
        middle = (low + high) / 2
        low, high = (middle, high) if spent(middle) > delta else (low, middle)
    return high


NODES, WEIGHTS = np.polynomial.legendre.leggauss(600)


def whole(s: float, delta: float, times: int) -> float:
    """Exactly, of so many releases: their privacy loss is normal, with mean m² / 2 and deviation m = √times / s.
    delta(epsilon) = E max(0, 1 − e^(epsilon − loss)), an integral by Gauss and Legendre."""
    m = math.sqrt(times) / s

    def spent(epsilon: float) -> float:
        start = max((epsilon - m * m / 2) / m, -9.0)
        half = (max(start, 0.0) + 9.0 - start) / 2
        x = start + half * (1 + NODES)
        inside = -np.expm1(np.minimum(epsilon - m * m / 2 - m * x, 0.0)) * np.exp(-x * x / 2)
        return half / math.sqrt(2 * math.pi) * float(WEIGHTS @ inside)

    return bisected(spent, delta)


@cache
def log_central(s: float, order: int) -> float:
    """log E_q (p / q − 1)^order, order even, p and q normal of deviation s with means 1 and 0: the trapezoid rule, its
    error falling faster than any power of the step where a smooth integrand dies away at both ends."""
    x, step = np.linspace(-40 * s, order + 40 * s, 20_001, retstep=True)
    loss = (2 * x - 1) / (2 * s * s)
    apart = np.maximum(loss, 0.0) + np.log(np.maximum(-np.expm1(-np.abs(loss)), 1e-300))
    logs = order * apart - x * x / (2 * s * s) - math.log(s * math.sqrt(2 * math.pi))
    most = float(logs.max())
    return most + math.log(float(np.exp(logs - most).sum()) * float(step))


@cache
def log_moment(s: float, share: float, order: int) -> float:
    """(order − 1) · the Rényi divergence of a round that draws a share of the clients without replacement: Wang, Balle
    and Kasiviswanathan (arXiv 1808.00087), theorem 27, at a whole order."""
    terms = [0.0]
    for j in range(2, order + 1):
        even = (log_central(s, j // 2 * 2) + log_central(s, (j + 1) // 2 * 2)) / 2
        term = min(math.log(4) + even, math.log(2) + j * (j - 1) / (2 * s * s))
        terms.append(j * math.log(share) + math.log(math.comb(order, j)) + term)
    return float(np.logaddexp.reduce(terms))


@cache
def sampled(s: float, share: float, rounds: int, delta: float) -> float:
    """Epsilon of so many such rounds by Canonne, Kamath and Steinke (arXiv 2004.00010), proposition 12. Between whole
    orders the log moment, convex, lies below the chord."""
    best, at = math.inf, 0.0
    for order in ORDERS:
        below = math.floor(order)
        low, high = (log_moment(s, share, one) if one > 1 else 0.0 for one in (below, math.ceil(order)))
        divergence = rounds * (low + (order - below) * (high - low)) / (order - 1)
        epsilon = divergence + math.log1p(-1 / order) - math.log(delta * order) / (order - 1)
        best, at = min((best, at), (epsilon, order))
    assert at < ORDERS[-1], "a higher order might be better"
    return max(best, 0.0)


@cache
def least(z: float, share: float, rounds: int, delta: float) -> float:
    """What is leaked at least: of two federations in which all clients but one send nothing, and that one's clipped
    change is +1 or −1 on one parameter. A round shows noise of deviation z around it if it was drawn, else around 0.

    The privacy loss of a round is put on a grid, rounded down, its distribution convolved with itself, what lies far
    out left away: each makes delta smaller, and so the epsilon that comes out.
    """
    x = np.linspace(-1 - 12 * z, 1 + 12 * z, 100_001)

    def density(mean: float) -> np.ndarray:
        of = [np.exp(-((x - centre) ** 2) / (2 * z * z)) / (z * math.sqrt(2 * math.pi)) for centre in (0.0, mean)]
        return np.asarray((1 - share) * of[0] + share * of[1])

    one, other = density(1.0), density(-1.0)
    losses = np.log(one) - np.log(other)
    size = 2**13
    step = 2 * float(np.abs(losses).max()) / size
    lowest = math.floor(float(losses.min()) / step)
    # A cell's mass goes to the loss of its left end: the loss rises with x.
    mass = np.zeros(size + 4)
    np.add.at(mass, np.floor(losses[:-1] / step).astype(int) - lowest, np.minimum(one[:-1], one[1:]) * (x[1] - x[0]))
    length = 1 << (len(mass) * rounds - 1).bit_length()
    together = np.fft.irfft(np.fft.rfft(mass, length) ** rounds, length)
    values = (np.arange(length) + lowest * rounds) * step
    return bisected(lambda epsilon: float(-together @ np.expm1(np.minimum(epsilon - values, 0.0))) - 1e-12, delta)


def epsilons(spec: JSON, rounds: Sequence[JSON]) -> Iterator[tuple[float, float]]:
    """After each round: the epsilon that docs/privacy.md states, and what is leaked at least. Who was asked is what the
    ledger's rounds say."""
    privacy, clients, asked = spec["privacy"], spec["federation"]["clients"], Counter[int]()
    z, delta = privacy["noise_multiplier"], privacy["delta"]
    for number, body in enumerate(rounds, 1):
        drawn = [one["partition"] for one in (*body["replies"], *body["excluded"])]
        asked.update(drawn)
        if privacy["kind"] == "local":
            due = whole(z / 2, delta, max(asked.values()))
            yield due, due
        else:
            share, exact = len(drawn) / clients, whole(z / 2, delta, number)
            if share < 1:
                yield min(exact, sampled(z / 2, share, number, delta)), least(z, share, number, delta)
            else:
                yield exact, exact


def exposure(items: Sequence[JSON]) -> JSON:
    """`scores.exposure`: log2 candidates − log2 rank of the planted secret (Carlini et al., arXiv 1802.08232), among
    those that no canary has; of equally likely ones it stands in the middle."""
    planted = {item["target"] for item in items}
    free = np.array([place not in planted for place in range(len(items[0]["options"]))])
    found: JSON = {"canaries": len(items), "candidates": int(free.sum()) + 1}
    for model in ("untuned", "tuned"):
        told = np.array([item[model]["loglikelihoods"] for item in items])
        own = np.take_along_axis(told, np.array([[item["target"]] for item in items]), 1)
        before = np.sign(told[:, free] - own)  # 1 for likelier, 0 for alike, −1 for less likely
        bits = np.log2(found["candidates"] / (1 + (before + 1).sum(1) / 2))
        found[model] = {"mean": float(bits.mean()), "most": float(bits.max())}
    return found
