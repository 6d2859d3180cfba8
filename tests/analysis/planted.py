"""Runs with known effects: scores and marks as they would be, drawn instead of trained."""

from __future__ import annotations

import itertools
from collections.abc import Mapping

import numpy as np

from ftbench.analysis.observations import Observation

Effects = Mapping[str, Mapping[str, float]]
"""Factor → level → what it adds to the chance of a right answer."""


def runs(
    effects: Effects,
    draw: np.random.Generator,
    *,
    seeds: int = 4,
    tasks: int = 2,
    items: int = 100,
    base: float = 0.5,
    over_seeds: float = 0.02,
    joint: Mapping[tuple[str, str], float] | None = None,
) -> list[Observation]:
    """Every combination of levels with every seed. Items differ in how hard they are, runs by chance of their seed.

    `joint`: two levels, of two factors → what they add where they meet.
    """
    names = sorted(effects)
    hard = {f"task{number}": draw.uniform(-0.15, 0.15, items) for number in range(tasks)}
    made = []
    for levels in itertools.product(*(sorted(effects[name]) for name in names)):
        factors = dict(zip(names, levels, strict=True))
        mean = base + sum(effects[name][level] for name, level in factors.items())
        mean += sum(value for pair, value in (joint or {}).items() if set(pair) <= set(levels))
        for seed in range(1, seeds + 1):
            own = mean + draw.normal(0, over_seeds)
            marks = {
                task: [float(one) for one in draw.random(items) < np.clip(own + easy, 0, 1)]
                for task, easy in hard.items()
            }
            score = float(np.mean([np.mean(one) for one in marks.values()]))
            made.append(Observation(factors, seed, score, marks, "items"))
    return made


def true_difference(effects: Effects, factor: str, level: str, against: str) -> float:
    """What a difference is due to be."""
    return effects[factor][level] - effects[factor][against]


def noise(*, tasks: int = 2, items: int = 100, base: float = 0.5, over_seeds: float = 0.02) -> float:
    """Variance of a score that chance alone makes: of the seed, and of answers to items of their own chances."""
    spread = 0.3**2 / 12
    return over_seeds**2 + (base * (1 - base) - spread) / (tasks * items)
