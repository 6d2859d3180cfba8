"""Claims as data, and what the runs say of each: confirmed, refuted, or not told apart, with what would tell.

An interval that lies wholly on the claim's side of its threshold confirms, one wholly on the other side refutes. All
claims of an analysis hold together: each interval is at the level 1 − α / number of claims.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

from ftbench.analysis import anova, differences
from ftbench.analysis.documents import Outcome, Share, Verdict
from ftbench.analysis.observations import MODEL, Observation
from ftbench.base_models import catalogue
from ftbench.result.documents import Interval
from ftbench.spec.sweep_file import Claim, DifferenceClaim, EquivalenceClaim, InteractionClaim

VARIANT = "variant"
"""Factor in which a base model's instruct and non-instruct forms differ; the model is then its family."""


def judge(claims: Sequence[Claim], observations: Sequence[Observation], error: float) -> list[Verdict]:
    """A verdict for each claim. `error`: chance that any interval of all of them misses its figure."""
    level = 1 - error / max(1, len(claims))
    shares = {one.term: one for one in anova.shares(observations, level)}
    return [_judge(one, observations, shares, level) for one in claims]


def _judge(claim: Claim, observations: Sequence[Observation], shares: dict[str, Share], level: float) -> Verdict:
    if isinstance(claim, DifferenceClaim | EquivalenceClaim):
        return _on_difference(claim, observations, level)
    if isinstance(claim, InteractionClaim):
        term = anova.JOINT.join(sorted(claim.factors))
        return _on_share(claim.says, term, shares.get(term), claim.at_least, f"share of {term}")
    more, less = shares.get(claim.factor), shares.get(claim.exceeds)
    asked = f"share of {claim.factor} minus share of {claim.exceeds}"
    if more is None or less is None or more.interval is None or less.interval is None:
        missing = claim.factor if more is None else claim.exceeds
        return _unasked(claim.says, asked, f"`{missing}` does not vary in these runs, or too few runs tell of it")
    # MOVER (G. Y. Zou and A. Donner, Statistics in Medicine 27 (2008) 1693–1702).
    value = more.share - less.share
    low = value - math.hypot(more.share - more.interval.low, less.interval.high - less.share)
    high = value + math.hypot(more.interval.high - more.share, less.share - less.interval.low)
    outcome = _beyond(low, high, 0.0)
    return Verdict(
        claim=claim.says,
        asked=asked,
        outcome=outcome,
        value=value,
        interval=Interval(low=low, high=high),
        why=f"{100 * more.share:.0f} % of the variance against {100 * less.share:.0f} %",
    )


def _on_difference(
    claim: DifferenceClaim | EquivalenceClaim, observations: Sequence[Observation], level: float
) -> Verdict:
    asked = f"{claim.factor}: {claim.level} minus {claim.against}, everything else equal"
    given = by_variant(observations) if claim.factor == VARIANT else observations
    sides = [[one for one in given if _is(one, claim.factor, name)] for name in (claim.level, claim.against)]
    found = differences.between(sides[0], sides[1], claim.factor, (claim.level, claim.against))
    if found is None:
        return _unasked(claim.says, asked, "no two runs differ in this alone and answer the same items")
    if found.over_seeds is None:
        return _unasked(claim.says, asked, "one seed says nothing of a method; two at least are asked for")
    interval = found.interval(level)
    if isinstance(claim, EquivalenceClaim):
        # Models that say nearly one thing to every item are alike whatever trained them.
        if not any(run.learnt for side in sides for run in side):
            return _unasked(claim.says, asked, "no run of either is told apart from the best constant answer")
        inside = -claim.within < interval.low and interval.high < claim.within
        outside = interval.low > claim.within or interval.high < -claim.within
        outcome: Outcome = "confirmed" if inside else "refuted" if outside else "not told apart"
        distance = abs(claim.within - abs(found.value))
        why = f"within {100 * claim.within:g} points either way was claimed"
    else:
        outcome = _beyond(interval.low, interval.high, claim.above)
        distance = abs(found.value - claim.above)
        why = f"more than {100 * claim.above:g} points was claimed"
    needed = found.needed(distance, level) if outcome == "not told apart" else None
    return Verdict(
        claim=claim.says,
        asked=asked,
        outcome=outcome,
        value=found.value,
        interval=interval,
        why=f"{why}; {found.seeds} seeds, {found.contexts} contexts, {found.items} items",
        seeds_needed=needed.seeds if needed else None,
        items_needed=needed.items if needed else None,
        needed_together=needed.together if needed else False,
    )


def _beyond(low: float, high: float, threshold: float) -> Outcome:
    return "confirmed" if low > threshold else "refuted" if high < threshold else "not told apart"


def _on_share(says: str, term: str, found: Share | None, threshold: float, asked: str) -> Verdict:
    if found is None or found.interval is None:
        return _unasked(says, asked, f"these runs cannot tell {term} from the rest")
    low, high = found.interval.low, found.interval.high
    # At threshold 0 the interval reaches it exactly where the F test sees nothing.
    outcome = _beyond(low, high, threshold)
    return Verdict(
        claim=says,
        asked=asked,
        outcome=outcome,
        value=found.share,
        interval=found.interval,
        why=f"more than {100 * threshold:g} % of the variance was claimed",
    )


def by_variant(observations: Sequence[Observation]) -> list[Observation]:
    """With the factor VARIANT in place of what it says of the model, for models whose pair the catalogue knows."""
    known = catalogue.models()
    made = []
    for one in observations:
        model = known.get(one.factors.get(MODEL, ""))
        if model is None or model.variant is None or model.pair is None:
            continue
        family = min(model.name, model.pair)
        made.append(dataclasses.replace(one, factors={**one.factors, MODEL: family, VARIANT: model.variant}))
    return made


def _is(one: Observation, factor: str, level: str) -> bool:
    """A level by its whole words, or by its first alone: `fedprox` means it with whatever parameters."""
    found = one.factors.get(factor, "")
    return found == level or found.split(" ")[0] == level


def _unasked(says: str, asked: str, why: str) -> Verdict:
    return Verdict(claim=says, asked=asked, outcome="not asked", value=None, interval=None, why=why)
