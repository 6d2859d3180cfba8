"""Everything that an analysis says, from verified bundles and claims."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from math import prod

from ftbench import codes
from ftbench.analysis import anova, claims, differences, expected, resources
from ftbench.analysis.documents import PARTS, Analysis, PairDifference
from ftbench.analysis.observations import Observation, Source, observe
from ftbench.base_models.catalogue import find_base_model
from ftbench.board.submission import Submission
from ftbench.compile.plan import Plan
from ftbench.diagnostics import Diagnostic
from ftbench.errors import InvalidInput
from ftbench.result.documents import LEVELS, Level
from ftbench.spec.sweep_file import Claim

AT_LEAST = 2
"""Fewest bundles that an analysis is made of."""


def analyse(
    submissions: Sequence[Submission],
    plans: Mapping[str, Plan],
    *,
    facts: expected.Facts = find_base_model,
    stated: Sequence[Claim] = (),
    required: Level = "CONFORMS",
    confidence: float = 0.95,
    refused: Sequence[str] = (),
) -> Analysis:
    """Of the bundles that reach `required` and are whole; `facts`: of their base models.

    Raises InvalidInput (FTB916) where fewer than two do.
    """
    kept: list[Submission] = []
    left_out = list(refused)
    for one in sorted(submissions, key=lambda s: s.path):
        if why := _unfit(one, plans, required):
            left_out.append(f"{one.path}: {why}")
        else:
            kept.append(one)
    if len(kept) < AT_LEAST:
        message = f"{len(kept)} of {len(submissions) + len(refused)} bundles can be analysed; two at least are needed"
        raise InvalidInput(Diagnostic(codes.ANALYSIS, message, hint="; ".join(left_out[:3]) or "give another folder"))
    observations = observe([Source(one, plans[one.result.spec_hash]) for one in kept])
    made = of(observations, stated, confidence)
    return made.model_copy(
        update={
            "left_out": left_out,
            "resources": (costs := resources.resources(kept)),
            "explained": resources.explained(costs),
            "deviation_over_seeds": resources.deviations(kept),
            "expected": [expected.expected(one, plans[one.result.spec_hash], facts) for one in kept],
        }
    )


def of(observations: Sequence[Observation], stated: Sequence[Claim], confidence: float = 0.95) -> Analysis:
    """Of observations alone."""
    error = (1 - confidence) / PARTS
    pairs = differences.differences(observations)
    level = 1 - error / max(1, len(pairs))
    names = sorted({name for one in observations for name in one.factors})
    factors = {name: sorted({one.factors[name] for one in observations}) for name in names}
    seeds = sorted({one.seed for one in observations})
    found = []
    for one in pairs:
        interval = one.interval(level)
        found.append(
            PairDifference(
                factor=one.factor,
                level=one.level,
                against=one.against,
                value=one.value,
                interval=interval,
                seeds=one.seeds,
                contexts=one.contexts,
                over_items=one.over_items**0.5,
                over_seeds=None if one.over_seeds is None else one.over_seeds**0.5,
                apart=one.over_seeds is not None and not interval.low <= 0 <= interval.high,
            )
        )
    cells = Counter((tuple(sorted(one.factors.items())), one.seed) for one in observations)
    return Analysis(
        runs=len(observations),
        left_out=[],
        confidence=confidence,
        factors=factors,
        seeds=seeds,
        balanced=len(cells) == len(observations) == prod(map(len, factors.values())) * len(seeds),
        deviation_over_seeds={},
        shares=anova.shares(observations, 1 - error),
        pairs=found,
        claims=claims.judge(stated, observations, error),
        resources=[],
    )


def _unfit(one: Submission, plans: Mapping[str, Plan], required: Level) -> str:
    if one.verdict.result is None:
        return "its result cannot be read"
    if LEVELS.index(one.verdict.level) < LEVELS.index(required):
        return f"it reaches {one.verdict.level}, and {required} is asked for"
    if one.result.smoke:
        return "a shortened trial run"
    if one.entry is None:
        return "its entry cannot be read"
    if one.result.spec_hash not in plans:
        return "its benchmark is not known here"
    return ""
