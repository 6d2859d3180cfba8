"""What an analysis finds, as a document. It holds no clock."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from ftbench.result.documents import Interval
from ftbench.spec.primitives import Block

PARTS = 3
"""Families that share the error: shares of variance, pairs, claims."""
Outcome = Literal["confirmed", "refuted", "not told apart", "not asked"]


class Share(Block):
    """One term of the analysis of variance."""

    term: str
    """A factor, two of them joined by ×, the seed, or what is left over."""
    freedom: int
    """Degrees of freedom."""
    share: Annotated[float, Field(ge=0, le=1)]
    """Part of the variance of scores, without what chance gives every term (ω²)."""
    interval: Interval | None
    """Of the share; null for what is left over."""
    p_value: float | None
    """Of the F test, adjusted for all terms; null for seeds and what is left over."""


class PairDifference(Block):
    """Two levels of one factor, everything else equal: seed by seed on the same items."""

    factor: str
    level: str
    against: str
    value: float
    """Mean score of `level` minus that of `against`."""
    interval: Interval
    """Over items and seeds, at the level at which all pairs of the analysis hold together."""
    seeds: int
    """Seeds that both have; with one the interval covers items only."""
    contexts: int
    """Combinations of the other factors that both have."""
    over_items: float
    """Standard error over items."""
    over_seeds: float | None
    """Standard error over seeds; null with one seed."""
    apart: bool
    """Whether the interval leaves out zero."""


class Verdict(Block):
    """A claim, and what the runs say of it."""

    claim: str
    """In words."""
    asked: str
    """What was computed, in short."""
    outcome: Outcome
    value: float | None
    """The figure that the claim is about; null where it was not asked."""
    interval: Interval | None
    """Its interval, at the level at which all claims hold together."""
    why: str
    """How the outcome follows, or what is missing."""
    seeds_needed: int | None = None
    """Where not told apart: seeds that would tell, were the figure as it is; null: no number would, or not known."""
    items_needed: int | None = None
    """Where not told apart: items in all that would tell; null: no number would, or not known."""
    needed_together: bool = False
    """Whether it takes both of them; otherwise either is enough."""


class Resource(Block):
    """One method's score beside its cost, means over seeds."""

    name: str
    benchmark: str
    score: float
    traffic_bytes: int
    memory_bytes: int | None
    train_seconds: float | None
    efficient: list[Literal["traffic", "memory", "seconds"]]
    """Costs in which nothing else scores as much for as little."""


class Compared(Block):
    """A quantity as it is estimated beforehand, and as it was measured."""

    estimated: float
    measured: Annotated[float, Field(gt=0)]

    @property
    def ratio(self) -> float:
        """The estimate over what was measured."""
        return self.estimated / self.measured


class Expected(Block):
    """What `ftbench estimate` says of one run, beside what the run measured; null where either is not known."""

    benchmark: str
    name: str
    seed: int
    device: str
    """Where it trained, as the bundle says; `CPU` without an accelerator."""
    traffic_bytes: Compared | None
    memory_bytes: Compared | None
    """Of a client. Estimated without what a card's runtime and allocator take besides; measured as what was allocated,
    without an accelerator as what the process grew by."""
    train_seconds: Compared | None
    """Null without a card whose maker's figure is known here."""
    operations_per_second: float | None
    """Operations that training asks for over the seconds that it took: the pace by which other runs can be timed."""


class Analysis(Block):
    """`ftbench analyse`."""

    format: Literal["ftbench/output/analyse/v1"] = "ftbench/output/analyse/v1"
    """Format of this document."""
    runs: int
    """Runs that were analysed."""
    left_out: list[str]
    """What was found and not analysed, with the reason."""
    confidence: Annotated[float, Field(gt=0, lt=1)]
    """A third of the error each for shares, pairs and claims together."""
    factors: dict[str, list[str]]
    """Factor → its levels."""
    seeds: list[int]
    balanced: bool
    """Whether every combination of levels has every seed once: then shares add up."""
    deviation_over_seeds: dict[str, float]
    """Benchmark → standard deviation over seeds, pooled over methods with two seeds and more."""
    shares: list[Share]
    pairs: list[PairDifference]
    claims: list[Verdict]
    resources: list[Resource]
    explained: dict[str, dict[str, float]] = {}
    """Benchmark → cost → part of the variance of its methods' scores that goes with the logarithm of the cost (R² of a
    straight line); benchmarks with three methods and more whose cost differs."""
    expected: list[Expected] = []
    """Each run's cost as it is estimated, beside what was measured."""
