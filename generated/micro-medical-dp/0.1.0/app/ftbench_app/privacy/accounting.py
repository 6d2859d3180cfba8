"""Epsilon spent, by Google's `dp-accounting`.

Who the neighbours are: two federations that differ in the data of one client, which one has in the place of the other
(replace-one). A round draws exactly n of N clients, so no one can be added or removed, and the sum of clipped changes
moves by 2 · clip at most. Noise of z · clip therefore has z / 2 times the sensitivity. Two bounds hold, and the smaller
counts: Rényi accounting of sampling without replacement (Wang et al., arXiv 1808.00087, theorem 27), which assumes that
nobody learns who was drawn; and the exact Gaussian mechanism (Balle and Wang, arXiv 1805.06530) without any sampling.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

SENSITIVITY = 2.0
"""How far replacing one client moves the sum of clipped changes, in clips."""


def central(multiplier: float, delta: float, clients: int, sampled: int, rounds: int) -> float:
    """Epsilon of so many rounds, each with `sampled` of `clients` drawn without replacement and noise on their sum."""
    whole = gaussian(multiplier, delta, rounds)
    if sampled >= clients:
        return whole
    from dp_accounting.rdp import compute_epsilon

    orders, divergence = _sampled(multiplier / SENSITIVITY, clients, sampled)
    return min(whole, float(compute_epsilon(orders, divergence * rounds, delta)[0]))


def local(multiplier: float, delta: float, times: int) -> float:
    """Epsilon of the client that was sampled most often. Sampling hides nothing from the server that asks."""
    return gaussian(multiplier, delta, times)


def most_often(sampled: Sequence[Sequence[int]]) -> int:
    """How often the client was sampled that was sampled most often."""
    return max(Counter(partition for clients in sampled for partition in clients).values(), default=0)


def gaussian(multiplier: float, delta: float, times: int) -> float:
    """Epsilon of so many Gaussian releases: together they are one with the root of that number less noise."""
    from dp_accounting import get_epsilon_gaussian

    return float(get_epsilon_gaussian(multiplier / SENSITIVITY / times**0.5, delta)) if times else 0.0


@lru_cache(maxsize=16)
def _sampled(relative: float, clients: int, sampled: int) -> tuple[Any, Any]:
    """Rényi orders and the divergence of one round at each; `relative`: noise in units of the sensitivity."""
    import dp_accounting
    from dp_accounting.rdp import RdpAccountant

    accountant = RdpAccountant(neighboring_relation=dp_accounting.NeighboringRelation.REPLACE_ONE)
    event = dp_accounting.GaussianDpEvent(relative)
    accountant.compose(dp_accounting.SampledWithoutReplacementDpEvent(clients, sampled, event))
    return accountant.orders, accountant.rdp
