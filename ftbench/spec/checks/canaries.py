"""Canaries that can be planted among the training rows, and whose task nobody else has."""

from __future__ import annotations

from collections.abc import Iterator

from ftbench import codes
from ftbench.spec import canaries
from ftbench.spec.model import Spec
from ftbench.spec.planted import unfit
from ftbench.spec.problems import Problem
from ftbench.spec.sources import CanarySource

HINT = "leave `evaluation.canaries` out, or change what stands in its way"


def check_canaries(spec: Spec) -> Iterator[Problem]:
    """Rows of that kind fit the templates, and the task of their secrets is the one that follows from the spec."""
    block = spec.evaluation.canaries
    why = unfit(spec)
    if why:
        yield Problem(codes.CANARIES, ("evaluation", "canaries"), f"canaries cannot be planted: {why}", HINT)
    due = None
    if block is not None and not why:
        due = canaries.task(block, spec.data.prompt, spec.data.completion, spec.seeds.partition)
    for number, task in enumerate(spec.evaluation.tasks):
        at = ("evaluation", "tasks", number)
        if task != due and isinstance(task.source, CanarySource):
            message = "`source: {kind: canaries}` is written by ftbench alone, from `evaluation.canaries`"
            yield Problem(codes.CANARIES, (*at, "source"), message, "leave the task out")
        elif task != due and block is not None and task.name == canaries.NAME:
            message = f"the task that asks for the canaries' secrets is called `{task.name}` already"
            yield Problem(codes.CANARIES, (*at, "name"), message, "call it differently")
