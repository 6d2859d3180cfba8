"""Scores beside what they cost: which methods nothing else beats at their price, and what a cost explains."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from math import fsum, log
from statistics import correlation, fmean, variance
from typing import Literal

from ftbench.analysis.documents import Resource
from ftbench.board.submission import Submission

Cost = Literal["traffic", "memory", "seconds"]
COSTS: tuple[Cost, ...] = ("traffic", "memory", "seconds")


def resources(submissions: Sequence[Submission]) -> list[Resource]:
    """A line for each method of each benchmark, by benchmark and then by score, the highest first."""
    groups: dict[tuple[str, str], list[Submission]] = defaultdict(list)
    for one in submissions:
        groups[one.result.spec_hash, one.key].append(one)
    made = []
    for _, group in sorted(groups.items()):
        first, costs = group[0], [one.result.cost for one in group]
        name = first.entry.metadata.name if first.entry is not None else first.path
        memories = [cost.peak_device_bytes or cost.peak_memory_bytes for cost in costs]
        times = [cost.train_seconds for cost in costs if cost.train_seconds is not None]
        known = [one for one in memories if one is not None]
        made.append(
            Resource(
                name=name,
                benchmark=f"{first.result.name} {first.result.version}",
                score=fmean(one.result.scores.tuned.value for one in group),
                traffic_bytes=round(fmean(cost.bytes_down + cost.bytes_up for cost in costs)),
                memory_bytes=max(known) if known else None,
                # Each share by itself: below CONFORMS a time may be so large that a sum overflows.
                train_seconds=fsum(one / len(times) for one in times) if times else None,
                efficient=[],
            )
        )
    return sorted(
        (one.model_copy(update={"efficient": _efficient(one, made)}) for one in made),
        key=lambda one: (one.benchmark, -one.score, one.name),
    )


def deviations(submissions: Sequence[Submission]) -> dict[str, float]:
    """Benchmark → standard deviation of a method's score over seeds, pooled over its methods with two and more."""
    groups: dict[tuple[str, str], list[float]] = defaultdict(list)
    for one in submissions:
        benchmark = f"{one.result.name} {one.result.version}"
        groups[benchmark, f"{one.result.spec_hash} {one.key}"].append(one.result.scores.tuned.value)
    pooled: dict[str, list[tuple[float, int]]] = defaultdict(list)
    for (benchmark, _), scores in sorted(groups.items()):
        if len(scores) > 1:
            pooled[benchmark].append((variance(scores), len(scores) - 1))
    return {
        benchmark: (sum(v * df for v, df in found) / sum(df for _, df in found)) ** 0.5
        for benchmark, found in pooled.items()
    }


def explained(methods: Sequence[Resource]) -> dict[str, dict[str, float]]:
    """Benchmark → cost → R² of a straight line of scores on the cost's logarithm. No cause is meant."""
    found: dict[str, dict[str, float]] = {}
    for benchmark in sorted({one.benchmark for one in methods}):
        own = [one for one in methods if one.benchmark == benchmark]
        for cost in COSTS:
            pairs = [(log(price), one.score) for one in own if (price := _cost(one, cost))]
            if len(pairs) == len(own) >= 3 and len({x for x, _ in pairs}) > 1 and len({y for _, y in pairs}) > 1:
                found.setdefault(benchmark, {})[cost] = correlation(*zip(*pairs, strict=True)) ** 2
    return found


def _efficient(one: Resource, others: Sequence[Resource]) -> list[Cost]:
    """Costs by which no other method of its benchmark scores at least as much for less, or more for as little."""
    rivals = [other for other in others if other.benchmark == one.benchmark and other is not one]
    return [
        cost
        for cost in COSTS
        if (own := _cost(one, cost)) is not None
        and not any(
            (price := _cost(other, cost)) is not None
            and other.score >= one.score
            and price <= own
            and (other.score > one.score or price < own)
            for other in rivals
        )
    ]


def _cost(one: Resource, cost: Cost) -> float | None:
    return {"traffic": one.traffic_bytes, "memory": one.memory_bytes, "seconds": one.train_seconds}[cost]
