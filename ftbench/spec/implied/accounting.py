"""Epsilon of a run by its spec, from Google's `dp-accounting`; for those who judge, apart from the app's own copy.

Neighbours differ in what one client holds, one in the place of the other (replace-one): a round draws exactly n of N
clients. Replacing a client moves the sum of clipped changes by 2 · clip at most, so that noise of z · clip has z / 2
times the sensitivity. Both bounds hold and the smaller counts: sampling without replacement by Rényi accounting
(arXiv 1808.00087, theorem 27), and the exact Gaussian mechanism without any sampling (arXiv 1805.06530). What that
promises and what not is in docs/privacy.md.

`dp-accounting` takes a second to import and comes with `ftbench[run]`, so it is imported inside the functions.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import Any

from ftbench.spec.model import Spec
from ftbench.spec.privacy import Privacy

TOLERANCE = 1e-9
"""Relative, of the limit: a budget that was computed to be just met is met."""
LEAST = -13.8
"""Logarithm of the least noise multiplier that a spec may have."""
SAMPLING = 0x53414D50
"""Third word of the seed of client choice."""


def available() -> bool:
    """Whether `dp-accounting` is installed."""
    from importlib.util import find_spec

    return find_spec("dp_accounting") is not None


def asked_each_round(spec: Spec) -> int:
    """Clients that train in a round."""
    return max(1, math.floor(spec.federation.sampling.fraction * spec.federation.clients + 0.5))


def spending(spec: Spec) -> Callable[[int], float]:
    """Number of releases → epsilon. Central: rounds; local: how often one client was asked. Raises where no privacy."""
    privacy = spec.privacy
    assert privacy is not None
    if privacy.kind == "local":
        return lambda times: _gaussian(privacy, times)
    clients, asked = spec.federation.clients, asked_each_round(spec)
    return lambda rounds: min(_gaussian(privacy, rounds), _sampled(privacy, clients, asked, rounds))


def fits(privacy: Privacy, epsilon: float) -> bool:
    """Whether so much may be spent."""
    return epsilon <= privacy.epsilon * (1 + TOLERANCE)


def releases(spec: Spec, rounds: int, seed: int) -> list[int]:
    """What counts after each round: central the rounds so far, local how often one client was asked at most."""
    privacy = spec.privacy
    assert privacy is not None
    return list(range(1, rounds + 1)) if privacy.kind == "central" else most_often(spec, rounds, seed)


def most_often(spec: Spec, rounds: int, seed: int) -> list[int]:
    """After each round, how often the client was asked that was asked most often."""
    import numpy

    clients, asked = spec.federation.clients, asked_each_round(spec)
    times = numpy.zeros(clients, dtype=int)
    most = []
    for number in range(1, rounds + 1):
        times[numpy.random.default_rng([seed, number, SAMPLING]).choice(clients, size=asked, replace=False)] += 1
        most.append(int(times.max()))
    return most


def known_choice(spec: Spec, rounds: int, seed: int) -> float:
    """Epsilon of the client asked most often, against someone who knows in which rounds that was."""
    privacy = spec.privacy
    assert privacy is not None
    return _gaussian(privacy, most_often(spec, rounds, seed)[-1])


def just_fitting(spec: Spec, times: int) -> float:
    """The least noise multiplier with which so many releases fit the budget, rounded up to four digits."""
    from scipy.optimize import brentq

    privacy = spec.privacy
    assert privacy is not None

    def excess(exponent: float) -> float:
        changed = privacy.model_copy(update={"noise_multiplier": math.exp(exponent)})
        spent = spending(spec.model_copy(update={"privacy": changed}))(times)
        return math.log(max(spent, 1e-30) / privacy.epsilon)

    low = high = 0.0
    while excess(high) > 0:
        low, high = high, high + 1.5
    while low > LEAST and excess(low) <= 0:
        low, high = low - 1.5, low
    exponent = high if excess(low) <= 0 else brentq(excess, low, high, xtol=1e-5)
    digits = 3 - math.floor(exponent / math.log(10))
    found = math.ceil(math.exp(exponent) * 10**digits)
    while excess(math.log(found / 10**digits)) > 0:
        found += 1
    return float(found / 10**digits)


def _gaussian(privacy: Privacy, times: int) -> float:
    from dp_accounting import get_epsilon_gaussian

    if times == 0:
        return 0.0
    return float(get_epsilon_gaussian(privacy.noise_multiplier / 2 / math.sqrt(times), privacy.delta))


def _sampled(privacy: Privacy, clients: int, asked: int, rounds: int) -> float:
    if asked >= clients or rounds == 0:
        return math.inf if rounds else 0.0
    from dp_accounting.rdp import compute_epsilon

    accountant = _round(privacy.noise_multiplier / 2, clients, asked)
    return float(compute_epsilon(accountant.orders, accountant.rdp * rounds, privacy.delta)[0])


@cache
def _round(relative: float, clients: int, asked: int) -> Any:
    """An accountant that has seen one round; `relative`: noise in units of the sensitivity."""
    from dp_accounting import GaussianDpEvent, NeighboringRelation, SampledWithoutReplacementDpEvent
    from dp_accounting.rdp import RdpAccountant

    accountant = RdpAccountant(neighboring_relation=NeighboringRelation.REPLACE_ONE)
    return accountant.compose(SampledWithoutReplacementDpEvent(clients, asked, GaussianDpEvent(relative)))
