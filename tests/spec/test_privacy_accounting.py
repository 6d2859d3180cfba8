"""Epsilon against an accountant written apart from its papers, in stdlib arithmetic; the app's copy against ours."""

from __future__ import annotations

import math
from decimal import Decimal, getcontext
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from ftbench.app.privacy import accounting as app
from ftbench.spec.implied import accounting
from ftbench.spec.load import find_spec, load_spec
from ftbench.spec.model import Spec
from ftbench.spec.privacy import Privacy

getcontext().prec = 120


@cache
def quickstart() -> Spec:
    return load_spec(Path(find_spec("quickstart"))).spec


def spec(clients: int, fraction: float, rounds: int = 5, **privacy: Any) -> Spec:
    block = {
        "kind": "central",
        "epsilon": 8.0,
        "delta": 1e-3,
        "noise_multiplier": 2.0,
        "clipping": "fixed",
        "clip": 1.0,
        **privacy,
    }
    base = quickstart()
    sampling = base.federation.sampling.model_copy(update={"fraction": fraction})
    federation = base.federation.model_copy(update={"clients": clients, "sampling": sampling, "rounds": rounds})
    return base.model_copy(update={"federation": federation, "privacy": Privacy.model_validate(block)})


# --- apart: Wang, Balle, Kasiviswanathan (arXiv 1808.00087), theorem 27; Balle and Wang (arXiv 1805.06530) ---


class Apart:
    """Rényi divergence of one Gaussian round over a sample without replacement; `s`: noise / sensitivity."""

    def __init__(self, s: float, q: float) -> None:
        self.s, self.q = Decimal(s), Decimal(q)
        self.cache: dict[int, Decimal] = {}

    def moment(self, order: int) -> Decimal:
        """e^((α − 1) · ε(α)) with ε(α) = α / 2s² of the Gaussian mechanism."""
        return (Decimal(order * (order - 1)) / (2 * self.s**2)).exp()

    def difference(self, order: int) -> Decimal:
        """The forward difference of that order, at 0, of the moments."""
        if order not in self.cache:
            terms = (Decimal((-1) ** (order - i) * math.comb(order, i)) * self.moment(i) for i in range(order + 1))
            self.cache[order] = abs(sum(terms))
        return self.cache[order]

    def log_moment(self, order: int) -> float:
        """(α − 1) · ε'(α) after sampling, at a whole order."""
        if order == 1:
            return 0.0
        e2 = (1 / self.s**2).exp()
        total = 1 + self.q**2 * math.comb(order, 2) * min(4 * (e2 - 1), 2 * e2)
        for j in range(3, order + 1):
            tight = 4 * (self.difference(j // 2 * 2) * self.difference(-(-j // 2) * 2)).sqrt()
            total += self.q**j * math.comb(order, j) * min(tight, 2 * self.moment(j))
        return float(total.ln())

    def epsilon(self, rounds: int, delta: float) -> float:
        """Canonne, Kamath, Steinke (arXiv 2004.00010), proposition 12, at the best order up to 40."""
        whole = [self.log_moment(order) for order in range(1, 41)]
        found = []
        for tenth in (*range(11, 110), *range(110, 401, 10)):
            order, below = tenth / 10, tenth // 10
            part = order - below
            between = (1 - part) * whole[below - 1] + (part * whole[below] if part else 0.0)
            rdp = rounds * between / (order - 1)
            found.append(rdp + math.log1p(-1 / order) - math.log(delta * order) / (order - 1))
        return max(0.0, min(found))


def normal(x: float) -> float:
    return 0.5 * math.erfc(-x / math.sqrt(2))


def gaussian_apart(s: float, delta: float) -> float:
    """The exact epsilon of a Gaussian mechanism, by bisection."""
    low, high = 0.0, 1e4
    for _ in range(200):
        middle = (low + high) / 2
        tail = normal(-1 / (2 * s) - middle * s)
        spent = normal(1 / (2 * s) - middle * s) - (math.exp(middle) * tail if tail else 0.0)
        low, high = (middle, high) if spent > delta else (low, middle)
    return high


CASES = [(20, 4, 15, 1.941, 1e-3), (20, 4, 15, 3.929, 1e-3), (1000, 100, 10, 2.0, 1e-4), (4, 2, 6, 4.0, 1e-2)]


@pytest.mark.parametrize(("clients", "asked", "rounds", "z", "delta"), CASES)
def test_epsilon_is_that_of_an_accountant_written_apart(
    clients: int, asked: int, rounds: int, z: float, delta: float
) -> None:
    """Replace-one: the sum of clipped changes moves by 2 clips, so noise of z clips has z / 2 times the sensitivity."""
    sampled = Apart(z / 2, asked / clients).epsilon(rounds, delta)
    whole = gaussian_apart(z / 2 / math.sqrt(rounds), delta)
    due = min(sampled, whole)
    made = spec(clients, asked / clients, noise_multiplier=z, delta=delta)
    assert accounting.spending(made)(rounds) == pytest.approx(due, rel=1e-9)
    assert app.central(z, delta, clients, asked, rounds) == pytest.approx(due, rel=1e-9)


def test_either_bound_is_the_smaller_one_somewhere() -> None:
    ours = {case: app.central(case[3], case[4], *case[:3]) for case in CASES}
    whole = {case: app.gaussian(case[3], case[4], case[2]) for case in CASES}
    assert {ours[case] < whole[case] for case in CASES} == {True, False}


@pytest.mark.parametrize("z", [1e-6, 0.5, 1.0, 7.3, 1e6])
@pytest.mark.parametrize(("clients", "asked"), [(4, 4), (4, 2), (50, 1)])
def test_the_two_copies_agree_and_are_finite(z: float, clients: int, asked: int) -> None:
    made = spec(clients, asked / clients, noise_multiplier=z)
    spending = accounting.spending(made)
    for rounds in (1, 2, 30):
        epsilon = app.central(z, 1e-3, clients, asked, rounds)
        assert math.isfinite(epsilon)
        assert spending(rounds) == pytest.approx(epsilon, rel=1e-12)
    assert spending(0) == 0.0


def test_epsilon_grows_with_rounds_and_falls_with_noise() -> None:
    spent = [app.central(2.0, 1e-3, 20, 4, rounds) for rounds in (1, 2, 5, 10)]
    assert spent == sorted(set(spent))
    quieter = [app.central(z, 1e-3, 20, 4, 5) for z in (8.0, 4.0, 2.0, 1.0)]
    assert quieter == sorted(set(quieter))


def test_all_clients_in_every_round_is_the_gaussian_mechanism() -> None:
    assert app.central(3.0, 1e-3, 8, 8, 4) == pytest.approx(gaussian_apart(3.0 / 2 / 2, 1e-3), rel=1e-9)


def test_local_privacy_counts_how_often_a_client_is_asked() -> None:
    made = spec(10, 0.2, kind="local", noise_multiplier=6.0)
    counts = accounting.releases(made, 12, seed=1)
    from ftbench.app import seeding

    asked = [seeding.choose_clients(1, number, 10, 0.2) for number in range(1, 13)]
    assert counts == [app.most_often(asked[:number]) for number in range(1, 13)]
    assert accounting.spending(made)(counts[-1]) == pytest.approx(app.local(6.0, 1e-3, counts[-1]))
    assert accounting.known_choice(made, 12, 1) == pytest.approx(app.gaussian(6.0, 1e-3, counts[-1]))


@pytest.mark.parametrize("limit", [0.5, 3.0, 40.0])
@pytest.mark.parametrize("kind", ["central", "local"])
def test_the_noise_that_just_fits_does(limit: float, kind: str) -> None:
    made = spec(20, 0.2, kind=kind, epsilon=limit)
    found = accounting.just_fitting(made, 7)

    def spent(z: float) -> float:
        return accounting.spending(spec(20, 0.2, kind=kind, epsilon=limit, noise_multiplier=z))(7)

    assert spent(found) <= limit
    assert spent(found * 0.998) > limit
