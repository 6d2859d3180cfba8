"""The scores claimed can come out of the item counts claimed, and are in range."""

from __future__ import annotations

from collections.abc import Iterator

from ftbench.result.models import Interval, Score, Scores, TaskScores
from ftbench.verify.check import Check, Failure, judge, plural
from ftbench.verify.context import Context
from ftbench.verify.formulas import same


def run(context: Context) -> str | Failure:
    """value = correct / items for every task, and the mean is the mean of these."""
    scores = context.result.scores
    return judge(_problems(scores), f"{plural(len(scores.tasks), 'task')}, every value is correct / items")


def _problems(scores: Scores) -> Iterator[str]:
    if not scores.tasks:
        yield "there is no task"
        return
    for name, task in scores.tasks.items():
        yield from _score(f"{name} tuned", task.tuned)
        yield from _score(f"{name} untuned", task.untuned)
        yield from _difference(name, task)
    for kind in ("tuned", "untuned", "difference"):
        claimed = getattr(scores, kind)
        mean = sum(getattr(task, kind).value for task in scores.tasks.values()) / len(scores.tasks)
        if abs(claimed.value - mean) > 1e-9:
            yield f"the mean {kind} is {claimed.value}, the tasks give {mean:.6f}"
        yield from _interval(f"mean {kind}", claimed.value, claimed.interval)


def _score(what: str, score: Score) -> Iterator[str]:
    if score.correct > score.items:
        yield f"{what}: {score.correct} right of {score.items}"
    elif not same(score.value, score.correct / score.items):
        yield f"{what}: {score.value} is not {score.correct}/{score.items}"
    yield from _interval(what, score.value, score.interval)


def _difference(name: str, task: TaskScores) -> Iterator[str]:
    told, tuned, untuned = task.difference, task.tuned, task.untuned
    if tuned.items != untuned.items:
        yield f"{name}: {tuned.items} items tuned, {untuned.items} untuned"
    elif told.gained - told.lost != tuned.correct - untuned.correct or told.gained + told.lost > tuned.items:
        yield f"{name}: {told.gained} gained and {told.lost} lost do not lead from {untuned.correct} to {tuned.correct}"
    elif abs(told.value - (tuned.correct - untuned.correct) / tuned.items) > 1e-9:
        yield f"{name}: the difference {told.value} is not tuned minus untuned"
    yield from _interval(f"{name} difference", told.value, told.interval)


def _interval(what: str, value: float, interval: Interval) -> Iterator[str]:
    if not interval.low - 1e-9 <= value <= interval.high + 1e-9:
        yield f"{what}: {value} is outside its interval {interval.low} to {interval.high}"


CHECK = Check("scores-attainable", "CLAIMED", "FTB611", "every score can come out of its item count", run)
