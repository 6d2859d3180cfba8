"""Planted truths: effects that were put in come out, and where none was put in none is claimed."""

from __future__ import annotations

import dataclasses

import numpy as np
import planted
import pytest

from ftbench.analysis import anova, differences
from ftbench.analysis.analyse import of
from ftbench.analysis.text import told
from ftbench.spec.sweep_file import Claim, DifferenceClaim, EquivalenceClaim, InteractionClaim, ShareClaim

TIMES, DUE = 100, 95
NONE = {"model": dict.fromkeys(("a", "b", "c"), 0.0), "strategy": dict.fromkeys(("p", "q", "r", "s"), 0.0)}
SOME = {
    "model": {"a": -0.1, "b": 0.0, "c": 0.15},
    "strategy": {"p": 0.0, "q": 0.02, "r": 0.05, "s": -0.03},
}
CLAIMS: list[Claim] = [
    DifferenceClaim(kind="difference", says="q is better", factor="strategy", level="q", against="p"),
    DifferenceClaim(kind="difference", says="c is better", factor="model", level="c", against="a", above=0.05),
    EquivalenceClaim(kind="equivalent", says="alike", factor="strategy", level="q", against="p", within=0.1),
    ShareClaim(kind="share", says="the model matters more", factor="model", exceeds="strategy"),
    InteractionClaim(kind="interaction", says="coupled", factors=["model", "strategy"]),
]


def test_one_analysis_of_planted_effects() -> None:
    found = of(planted.runs(SOME, np.random.default_rng(7), seeds=5), CLAIMS)
    assert found.balanced and found.runs == 60
    assert found.shares[0].term == "model" and found.shares[0].share > 0.6
    assert told(found)[0] == "model"
    by = {(one.level, one.against): one for one in found.pairs}
    assert by["c", "a"].apart and by["c", "a"].interval.low < 0.25 < by["c", "a"].interval.high
    outcomes = [one.outcome for one in found.claims]
    assert outcomes[1] == "confirmed" and outcomes[3] == "confirmed"
    assert outcomes[0] == "not told apart" and (found.claims[0].seeds_needed or found.claims[0].items_needed)


def test_an_interaction_is_seen() -> None:
    joint = {("a", "p"): 0.2, ("b", "q"): 0.2}
    found = of(planted.runs(SOME, np.random.default_rng(3), seeds=5, joint=joint), CLAIMS)
    assert found.claims[4].outcome == "confirmed"
    assert "model × strategy" in told(found)


def test_a_refuted_claim() -> None:
    wrong = DifferenceClaim(kind="difference", says="a is better", factor="model", level="a", against="c")
    found = of(planted.runs(SOME, np.random.default_rng(3)), [wrong])
    assert found.claims[0].outcome == "refuted" and found.claims[0].seeds_needed is None


def test_with_one_seed_nothing_is_said_of_methods() -> None:
    found = of(planted.runs(SOME, np.random.default_rng(3), seeds=1), CLAIMS)
    assert not any(one.apart for one in found.pairs)
    assert found.claims[0].outcome == "not asked" and "one seed" in found.claims[0].why


def test_constant_answers_are_no_likeness() -> None:
    alike = [EquivalenceClaim(kind="equivalent", says="alike", factor="strategy", level="q", against="p", within=0.5)]
    runs = planted.runs(SOME, np.random.default_rng(3))
    assert of(runs, alike).claims[0].outcome == "confirmed"
    none = [dataclasses.replace(one, learnt=False) for one in runs]
    assert of(none, alike).claims[0].outcome == "not asked"
    assert "constant answer" in of(none, alike).claims[0].why
    some = [dataclasses.replace(one, learnt=one.factors["strategy"] == "q") for one in runs]
    assert of(some, alike).claims[0].outcome == "confirmed"


def test_unmatched_runs_are_not_compared() -> None:
    runs = planted.runs(SOME, np.random.default_rng(3))
    apart = [one for one in runs if (one.factors["model"] == "a") == (one.factors["strategy"] == "p")]
    assert differences.difference(apart, "model", "b", "a") is None


def test_a_shuffled_list_gives_the_same_document() -> None:
    runs = planted.runs(SOME, np.random.default_rng(3))
    shuffled = [runs[place] for place in np.random.default_rng(1).permutation(len(runs))]
    one, other = of(runs, CLAIMS), of(shuffled, CLAIMS)
    assert [pair.value for pair in one.pairs] == pytest.approx([pair.value for pair in other.pairs], abs=1e-12)
    assert [s.share for s in one.shares] == pytest.approx([s.share for s in other.shares], abs=1e-9)


def test_with_two_seeds_an_interval_does_not_leave_what_is_possible() -> None:
    found = of(planted.runs(SOME, np.random.default_rng(3), seeds=2), [])
    assert all(-1 <= one.interval.low <= one.value <= one.interval.high <= 1 for one in found.pairs)


def test_holm() -> None:
    assert anova.holm({"a": 0.01, "b": 0.04, "c": 0.03}) == pytest.approx({"a": 0.03, "c": 0.06, "b": 0.06})


@pytest.mark.slow
def test_what_was_planted_is_recovered() -> None:
    """All differences of an analysis within their intervals, and each share within its own."""
    pairs, terms = 0, dict.fromkeys(("model", "strategy"), 0)
    noise = planted.noise()
    # Of all levels alike often: what the design's cells differ by.
    spread = {name: float(np.var(list(levels.values()))) for name, levels in SOME.items()}
    true = {name: value / (sum(spread.values()) + noise) for name, value in spread.items()}
    for number in range(TIMES):
        found = of(planted.runs(SOME, np.random.default_rng(1000 + number)), CLAIMS)
        pairs += all(
            one.interval.low <= planted.true_difference(SOME, one.factor, one.level, one.against) <= one.interval.high
            for one in found.pairs
        )
        for one in found.shares:
            if one.term in terms and one.interval is not None:
                terms[one.term] += one.interval.low <= true[one.term] <= one.interval.high
    assert pairs >= DUE, pairs
    assert min(terms.values()) >= DUE, terms


@pytest.mark.slow
def test_where_nothing_was_planted_nothing_is_claimed() -> None:
    claims = [one for one in CLAIMS if not isinstance(one, EquivalenceClaim) and getattr(one, "above", 0.0) == 0.0]
    silent = 0
    for number in range(TIMES):
        found = of(planted.runs(NONE, np.random.default_rng(2000 + number)), claims)
        said = [*told(found), *(one for one in found.pairs if one.apart)]
        said += [one for one in found.claims if one.outcome in ("confirmed", "refuted")]
        silent += not said
    assert silent >= DUE, silent
