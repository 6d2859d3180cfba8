"""What the types cannot say of a spec: one small module per subject, each check a generator of problems."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ftbench.spec.checks import (
    beside,
    budgets,
    canaries,
    effects,
    faults,
    federation,
    knobs,
    lists,
    models,
    objective,
    partitions,
    privacy,
    ranks,
    reporting,
    robust,
    scoring,
    sites,
    sources,
    strategies,
    templates,
    weighing,
    weights,
)
from ftbench.spec.checks.pins import check_pins
from ftbench.spec.checks.text import one_line
from ftbench.spec.model import Spec
from ftbench.spec.problems import Problem

__all__ = ["CHECKS", "Check", "check_pins", "one_line", "run"]

Check = Callable[[Spec], Iterator[Problem]]
CHECKS: tuple[Check, ...] = (
    one_line,
    templates.data,
    templates.chat,
    templates.tasks,
    scoring.scoring,
    sites.sites,
    sources.files,
    sources.checkpoint,
    models.built_in,
    federation.replies,
    federation.budget,
    weighing.weighing,
    beside.also,
    canaries.check_canaries,
    budgets.target,
    budgets.check_within,
    partitions.columns,
    partitions.min_rows,
    partitions.one_client,
    objective.pairs,
    objective.reduction,
    effects.effects,
    effects.rising,
    effects.warm_up,
    faults.block,
    faults.replies,
    faults.strikes,
    strategies.parameters,
    strategies.choosable,
    robust.krum,
    robust.krum_by_knob,
    robust.effects,
    ranks.adapters,
    ranks.ranks,
    privacy.parameters,
    privacy.strategies,
    privacy.budget,
    weights.quantization,
    weights.choosable,
    weights.dora,
    weights.attention,
    weights.heads,
    lists.tasks,
    lists.seeds,
    lists.targets,
    lists.separate,
    reporting.clusters,
    knobs.check_knobs,
)


def run(spec: Spec, *, whole: bool = True) -> list[Problem]:
    """Every problem that the checks find.

    `whole=False`: fields may be absent, and a check that comes upon one stops there; what it found before counts.
    """
    found: list[Problem] = []
    for check in CHECKS:
        try:
            for problem in check(spec):
                found.append(problem)
        except AttributeError:
            if whole:
                raise
    return found
