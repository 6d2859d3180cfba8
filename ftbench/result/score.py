"""Per-item answers → scores. Pure and light: the runner scores with it, and the verifier scores again with its copy.

The answer to an item is the option with the highest log-likelihood; the first one wins a tie.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from ftbench.diagnostics import Diagnostic, register
from ftbench.errors import InvalidInput
from ftbench.result.models import Answer, Difference, Interval, Mean, Sample, Score, Scores, TaskScores
from ftbench.result.statistics import Estimate, mcnemar, mover_mean, paired_difference, wilson

NO_SAMPLES = "FTB680"
WRONG_LENGTH = "FTB681"
NOT_FINITE = "FTB682"
WRONG_TARGET = "FTB683"

register(
    {
        NO_SAMPLES: "there is nothing to score: no task, or a task without items",
        WRONG_LENGTH: "a sample has not one log-likelihood for each option",
        NOT_FINITE: "a log-likelihood is not a finite number of at most 0",
        WRONG_TARGET: "a sample's target is none of its options",
    }
)

ROUNDING = 1e-3
"""How far above 0, in nats, a log-likelihood may come out by rounding."""


def score(samples_by_task: Mapping[str, Sequence[Sample]], confidence: float) -> Scores:
    """Every score, interval and test of a result. Tasks come out in the order they are given.

    `mean.difference` counts gained and lost items over all tasks together, and its p-value is of those counts.
    Raises InvalidInput (FTB680–683) with every sample that can't be scored, at most ten.
    """
    problems = list(_problems(samples_by_task))
    if problems:
        raise InvalidInput(problems[:10])
    tasks = {name: _task(samples, confidence) for name, samples in samples_by_task.items()}
    scores = tasks.values()
    gained = sum(t.difference.gained for t in scores)
    lost = sum(t.difference.lost for t in scores)
    difference = mover_mean([_estimate(t.difference) for t in scores], (-1.0, 1.0))
    return Scores(
        tasks=tasks,
        tuned=_mean([t.tuned for t in scores]),
        untuned=_mean([t.untuned for t in scores]),
        difference=_difference(difference, gained, lost),
    )


def score_answers(
    answers_by_task: Mapping[str, Sequence[tuple[Answer, int]]], confidence: float
) -> tuple[dict[str, Score], Mean]:
    """Accuracy of one model alone, by task and as the plain mean, from its answers and their targets.

    Raises InvalidInput (FTB680, FTB682, FTB683) like `score`.
    """
    problems = [] if answers_by_task else [Diagnostic(NO_SAMPLES, "there are no tasks to score")]
    for task, answers in answers_by_task.items():
        if not answers:
            problems.append(Diagnostic(NO_SAMPLES, f"task {task} has no samples"))
        for index, (answer, target) in enumerate(answers):
            count = len(answer.loglikelihoods)
            problems += _answer_problems(answer, count, f"item {index} of task {task}")
            if not 0 <= target < count:
                problems.append(Diagnostic(WRONG_TARGET, f"item {index} of task {task}: no option {target}"))
    if problems:
        raise InvalidInput(problems[:10])
    tasks = {
        task: accuracy(sum(chosen(answer) == target for answer, target in answers), len(answers), confidence)
        for task, answers in answers_by_task.items()
    }
    return tasks, _mean(list(tasks.values()))


def chosen(answer: Answer) -> int:
    """Index of the option that the model gave: the highest log-likelihood, the first of equals."""
    return max(range(len(answer.loglikelihoods)), key=answer.loglikelihoods.__getitem__)


def accuracy(correct: int, items: int, confidence: float) -> Score:
    """`correct` of `items` with Wilson's interval."""
    estimate = wilson(correct, items, confidence)
    return Score(correct=correct, items=items, value=estimate.value, interval=_interval(estimate))


def is_attainable(value: float, items: int, digits: int | None = None) -> bool:
    """Whether some whole number of right answers to `items` items gives the accuracy `value` (0 to 1).

    With `digits` the value was rounded to that many decimals before it was published (half up or half to even:
    both are let through); without, it must be the nearest float to k / items.
    """
    if not (math.isfinite(value) and 0 <= value <= 1 and items >= 1):
        return False
    slack = 1e-12 if digits is None else 0.5 * 10.0**-digits + 1e-12
    nearest = min(max(round(value * items), 0), items)
    return any(abs(k / items - value) <= slack for k in (nearest - 1, nearest, nearest + 1) if 0 <= k <= items)


def _task(samples: Sequence[Sample], confidence: float) -> TaskScores:
    counts = {(before, after): 0 for before in (True, False) for after in (True, False)}
    for sample in samples:
        counts[chosen(sample.untuned) == sample.target, chosen(sample.tuned) == sample.target] += 1
    both, lost = counts[True, True], counts[True, False]
    gained, neither = counts[False, True], counts[False, False]
    return TaskScores(
        tuned=accuracy(both + gained, len(samples), confidence),
        untuned=accuracy(both + lost, len(samples), confidence),
        difference=_difference(paired_difference(both, gained, lost, neither, confidence), gained, lost),
    )


def _mean(scores: Sequence[Score]) -> Mean:
    estimate = mover_mean([_estimate(s) for s in scores], (0.0, 1.0))
    return Mean(value=estimate.value, interval=_interval(estimate))


def _difference(estimate: Estimate, gained: int, lost: int) -> Difference:
    return Difference(
        value=estimate.value, interval=_interval(estimate), gained=gained, lost=lost, p_value=mcnemar(gained, lost)
    )


def _estimate(score: Score | Difference) -> Estimate:
    return Estimate(score.value, score.interval.low, score.interval.high)


def _interval(estimate: Estimate) -> Interval:
    return Interval(low=estimate.low, high=estimate.high)


def _problems(samples_by_task: Mapping[str, Sequence[Sample]]) -> list[Diagnostic]:
    found = [] if samples_by_task else [Diagnostic(NO_SAMPLES, "there are no tasks to score")]
    for task, samples in samples_by_task.items():
        if not samples:
            found.append(Diagnostic(NO_SAMPLES, f"task {task} has no samples", hint="evaluate the run again"))
        for sample in samples:
            where = f"item {sample.index} of task {task}"
            if sample.target >= len(sample.options):
                message = f"{where} has target {sample.target} but {len(sample.options)} options, counted from 0"
                found.append(Diagnostic(WRONG_TARGET, message))
            for model, answer in (("untuned", sample.untuned), ("tuned", sample.tuned)):
                found.extend(_answer_problems(answer, len(sample.options), f"{where}, {model} model"))
    return found


def _answer_problems(answer: Answer, options: int, where: str) -> list[Diagnostic]:
    values = answer.loglikelihoods
    if len(values) != options:
        return [Diagnostic(WRONG_LENGTH, f"{where}: {len(values)} log-likelihoods for {options} options")]
    # −infinity is refused too: JSON cannot hold it, and a model that gives it to a whole option has overflowed.
    wrong = [v for v in values if not (math.isfinite(v) and v <= ROUNDING)]
    return [Diagnostic(NOT_FINITE, f"{where}: {wrong[0]} is not the logarithm of a probability")] if wrong else []
