"""Evaluation by budget asks for what a run can tell."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

from ftbench import codes
from ftbench.spec.checks.federation import MIB, sampled
from ftbench.spec.model import Spec
from ftbench.spec.problems import Problem
from ftbench.spec.words import number


def target(spec: Spec) -> Iterator[Problem]:
    """A target needs a validation cut."""
    if spec.evaluation.cost_to_target is not None and spec.data.validation is None:
        message = "a target of validation loss is set, and no rows are set aside to measure it on"
        hint = "set `data.validation`, or leave `evaluation.cost_to_target` out"
        yield Problem(codes.MISSING_PARAMETER, ("evaluation", "cost_to_target"), message, hint)


def check_within(spec: Spec) -> Iterator[Problem]:
    """Budgets ascend, lie below the hard limit, and the least allows a round of the smallest adapter."""
    block = spec.evaluation.quality_within
    if block is None:
        return
    at = ("evaluation", "quality_within", "communication_mib")
    limits, hard = block.communication_mib, spec.budget.communication_mib
    for position, (before, mib) in enumerate(itertools.pairwise(limits), 1):
        if mib <= before:
            message = f"{number(mib)} stands after {number(before)}"
            yield Problem(codes.CONTRADICTION, (*at, position), message, "list each budget once, ascending")
    for position, mib in enumerate(limits):
        if mib >= hard:
            message = f"{number(mib)} MiB changes nothing: no run may send more than `budget.communication_mib`, "
            message += f"{number(hard)}"
            hint = "leave it out: the last round is scored anyway, or the one that the checkpoint rule chooses"
            yield Problem(codes.NO_EFFECT, (*at, position), message, hint)
    # The smallest adapter: one module with one input and one output, in one byte a number.
    asked = sampled(spec.federation.clients, spec.federation.sampling.fraction)
    least = 2 * asked * 2 * spec.adapter.rank
    for position, mib in enumerate(limits):
        if mib * MIB < least:
            message = (
                f"not even one round of {asked} clients fits into {number(mib)} MiB ({math.floor(mib * MIB)} bytes)"
            )
            yield Problem(codes.NO_EFFECT, (*at, position), message, "its score would be the untuned model's")
