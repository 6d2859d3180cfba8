"""The scores claimed can come out of the item counts claimed, and are in range."""

from __future__ import annotations

from collections.abc import Iterator

from ftbench.result.documents import Interval, Score, Scores, ScoringScores
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
        yield from _scoring(name, task)
        for scoring, other in task.also.items():
            yield from _scoring(f"{name} {scoring}", other)
        for reference, score in task.references.items():
            yield from _score(f"{name} {reference}", score)
            if score.items != task.tuned.items:
                yield f"{name}: {score.items} items for {reference}, {task.tuned.items} tuned"
    beside = {name for domain in scores.also.values() for name in domain.tasks}
    ranked = [task for name, task in scores.tasks.items() if name not in beside]
    if not ranked:
        yield "there is no task that ranks"
        return
    for kind in ("tuned", "untuned", "difference"):
        claimed = getattr(scores, kind)
        mean = sum(getattr(task, kind).value for task in ranked) / len(ranked)
        if abs(claimed.value - mean) > 1e-9:
            yield f"the mean {kind} is {claimed.value}, the tasks give {mean:.6f}"
        yield from _interval(f"mean {kind}", claimed.value, claimed.interval)
    for reference, told in scores.references.items():
        values = [task.references[reference].value for task in ranked if reference in task.references]
        if len(values) != len(ranked) or abs(told.value - sum(values) / len(values)) > 1e-9:
            yield f"the mean of {reference} is {told.value}, which the tasks do not give"
        yield from _interval(f"mean {reference}", told.value, told.interval)


def _scoring(what: str, scores: ScoringScores) -> Iterator[str]:
    yield from _score(f"{what} tuned", scores.tuned)
    yield from _score(f"{what} untuned", scores.untuned)
    yield from _difference(what, scores)


def _score(what: str, score: Score) -> Iterator[str]:
    if score.correct > score.items:
        yield f"{what}: {score.correct} right of {score.items}"
    elif not same(score.value, score.correct / score.items):
        yield f"{what}: {score.value} is not {score.correct}/{score.items}"
    if score.unparsable > score.items - score.correct:
        yield f"{what}: {score.unparsable} unparsable beside {score.correct} right of {score.items}"
    yield from _interval(what, score.value, score.interval)


def _difference(name: str, task: ScoringScores) -> Iterator[str]:
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
