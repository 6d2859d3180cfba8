"""Per-item answers → scores. Pure and light: the runner scores with it, and the verifier scores again with its copy.

Whether an answer is right is said by `ftbench.result.marks`; here answers are counted.
"""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ftbench import codes
from ftbench.diagnostics import Diagnostic
from ftbench.errors import InvalidInput
from ftbench.result import options
from ftbench.result.documents import (
    Difference,
    Elsewhere,
    Interval,
    Mean,
    Sample,
    Score,
    Scores,
    ScoringScores,
    Spread,
    TaskScores,
    Written,
)
from ftbench.result.exposure import exposure
from ftbench.result.marks import Given, Mark, asks_text, mark, mark_of, picked, problems
from ftbench.result.references import FAULT_FREE, LOCAL
from ftbench.result.statistics import Estimate, mcnemar, mover_mean, paired_difference, stratified, wilson
from ftbench.spec.canaries import NAME as CANARIES
from ftbench.spec.model import Evaluation
from ftbench.spec.tasks import CodeTask, Task


def score(samples_by_task: Mapping[str, Sequence[Sample]], evaluation: Evaluation) -> Scores:
    """Every score, interval and test of a result. Tasks come out in the order they are given.

    `difference` counts gained and lost items over all tasks together; its p-value is that of the mean. The means,
    differences and references are by each task's first scoring. Raises InvalidInput (FTB680–686) with every sample
    that can't be scored, at most ten.
    """
    tasks = {task.name: task for task in evaluation.tasks}
    wrong = list(_problems(samples_by_task, tasks))
    if wrong:
        raise InvalidInput(wrong[:10])
    told = {task.name for task in evaluation.scored}
    scored = {
        name: _task(tasks[name], lines, evaluation.confidence)
        for name, lines in samples_by_task.items()
        if name in told
    }
    planted = samples_by_task.get(CANARIES) if evaluation.canaries is not None else None
    ranked = {task.name for task in evaluation.ranked}
    scores = [one for name, one in scored.items() if name in ranked]
    if not scores:
        raise InvalidInput(Diagnostic(codes.NO_SAMPLES, "no task that ranks has samples"))
    best = [t.majority.value for t in scores if t.majority is not None]
    names = scores[0].references
    references = {name: _mean([t.references[name] for t in scores]) for name in names}
    return Scores(
        tasks=scored,
        tuned=_mean([t.tuned for t in scores]),
        untuned=_mean([t.untuned for t in scores]),
        difference=_mean_difference([(t.tuned.items, t.difference) for t in scores]),
        majority=math.fsum(best) / len(best) if len(best) == len(scores) else None,
        references=references,
        local=_spread([mean.value for name, mean in references.items() if name.startswith(LOCAL)]),
        robustness=_robustness(
            {name: lines for name, lines in samples_by_task.items() if name in ranked}, tasks, evaluation.confidence
        )
        if FAULT_FREE in references
        else None,
        also={
            domain: _elsewhere([(name, scored[name]) for name in names if name in scored])
            for domain, names in (evaluation.also or {}).items()
            if any(name in scored for name in names)
        },
        exposure=exposure(planted) if planted else None,
    )


def _elsewhere(scores: Sequence[tuple[str, TaskScores]]) -> Elsewhere:
    return Elsewhere(
        tasks=[name for name, _ in scores],
        tuned=_mean([one.tuned for _, one in scores]),
        untuned=_mean([one.untuned for _, one in scores]),
        difference=_mean_difference([(one.tuned.items, one.difference) for _, one in scores]),
    )


def score_answers(
    answers_by_task: Mapping[str, Sequence[Given]], evaluation: Evaluation
) -> tuple[dict[str, dict[str, Score]], Mean]:
    """Task → scoring → accuracy of one model alone, and the plain mean of each task's first scoring.

    Raises InvalidInput like `score`.
    """
    tasks = {task.name: task for task in evaluation.tasks}
    wrong = [] if answers_by_task else [Diagnostic(codes.NO_SAMPLES, "there are no tasks to score")]
    for name, answers in answers_by_task.items():
        if not answers:
            wrong.append(Diagnostic(codes.NO_SAMPLES, f"task {name} has no samples"))
        for index, given in enumerate(answers):
            wrong += problems(tasks[name], given, f"item {index} of task {name}")
    if wrong:
        raise InvalidInput(wrong[:10])
    scored: dict[str, dict[str, Score]] = {
        name: {s: _counted(tasks[name], s, given, evaluation.confidence) for s in tasks[name].scoring}
        for name, given in answers_by_task.items()
    }
    ranked = {task.name for task in evaluation.ranked}
    return scored, _mean([scored[name][tasks[name].scoring[0]] for name in scored if name in ranked])


def accuracy(correct: int, items: int, confidence: float, unparsable: int = 0) -> Score:
    """`correct` of `items` with Wilson's interval."""
    estimate = wilson(correct, items, confidence)
    return Score(
        correct=correct, items=items, value=estimate.value, interval=_interval(estimate), unparsable=unparsable
    )


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


def _task(task: Task, samples: Sequence[Sample], confidence: float) -> TaskScores:
    both = [[_given(sample, model) for sample in samples] for model in ("untuned", "tuned")]
    first, *others = (_scoring(task, scoring, both, confidence) for scoring in task.scoring)
    references = {
        name: _counted(task, task.scoring[0], [_given(s, name) for s in samples], confidence)
        for name in samples[0].references
    }
    targets = [sample.target for sample in samples if sample.target is not None]
    return TaskScores(
        tuned=first.tuned,
        untuned=first.untuned,
        difference=first.difference,
        scoring=task.scoring[0],
        also=dict(zip(task.scoring[1:], others, strict=True)),
        references=references,
        majority=None if isinstance(task, CodeTask) else options.majority(targets, [s.options for s in samples]),
        written=_written(task, samples),
    )


def _written(task: Task, samples: Sequence[Sample]) -> Written | None:
    if isinstance(task, CodeTask) or not asks_text(task):
        return None
    return options.written([sample.untuned.text or "" for sample in samples], [sample.options for sample in samples])


def _scoring(task: Task, scoring: str, both: Sequence[Sequence[Given]], confidence: float) -> ScoringScores:
    before, after = (_read(task, scoring, given) for given in both)
    return ScoringScores(
        tuned=_count(task, after, confidence),
        untuned=_count(task, before, confidence),
        difference=_paired(before.marks, after.marks, confidence),
    )


def _paired(before: Sequence[Mark], after: Sequence[Mark], confidence: float) -> Difference:
    counts = Counter((b == "right", a == "right") for b, a in zip(before, after, strict=True))
    both, gained, lost, neither = (counts[p] for p in ((True, True), (False, True), (True, False), (False, False)))
    return _difference(paired_difference(both, gained, lost, neither, confidence), gained, lost)


def _robustness(
    samples_by_task: Mapping[str, Sequence[Sample]], tasks: Mapping[str, Task], confidence: float
) -> Difference:
    """Tuned minus fault-free by each task's first scoring, combined as `Scores.difference` is."""
    found = []
    for name, samples in samples_by_task.items():
        task = tasks[name]
        whole, struck = (
            _read(task, task.scoring[0], [_given(s, model) for s in samples]).marks for model in (FAULT_FREE, "tuned")
        )
        found.append((len(samples), _paired(whole, struck, confidence)))
    return _mean_difference(found)


def _mean_difference(found: Sequence[tuple[int, Difference]]) -> Difference:
    """The plain mean of tasks' differences, each with the task's items."""
    mean = mover_mean([_estimate(one) for _, one in found], (-1.0, 1.0))
    gained, lost = sum(one.gained for _, one in found), sum(one.lost for _, one in found)
    p_value = stratified([(items, one.gained, one.lost) for items, one in found])
    return _difference(mean, gained, lost).model_copy(update={"p_value": p_value})


@dataclass(frozen=True, slots=True)
class _Read:
    """A model's answers by one scoring."""

    given: Sequence[Given]
    chosen: Sequence[int | None]
    """Of each answer the option that it means; nothing for a code task."""
    marks: Sequence[Mark]


def _read(task: Task, scoring: str, given: Sequence[Given]) -> _Read:
    if isinstance(task, CodeTask):
        return _Read(given, (), [mark(task, scoring, one) for one in given])
    chosen = [picked(task, scoring, one) for one in given]
    return _Read(given, chosen, [mark_of(found, one.target) for found, one in zip(chosen, given, strict=True)])


def _given(sample: Sample, model: str) -> Given:
    answer = sample.answer(model)
    if answer is None:
        raise KeyError(model)
    return Given(answer, sample.options, sample.target, sample.prompt)


def _counted(task: Task, scoring: str, given: Sequence[Given], confidence: float) -> Score:
    return _count(task, _read(task, scoring, given), confidence)


def _count(task: Task, read: _Read, confidence: float) -> Score:
    marks = read.marks
    found = accuracy(marks.count("right"), len(marks), confidence, marks.count("unparsable"))
    if isinstance(task, CodeTask):
        return found
    targets = [one.target or 0 for one in read.given]
    return found.model_copy(update={"options": options.counts(read.chosen, targets, len(read.given[0].options))})


def _spread(values: Sequence[float]) -> Spread | None:
    if not values:
        return None
    deviation = statistics.stdev(values) if len(values) > 1 else 0.0
    return Spread(
        models=len(values),
        mean=math.fsum(values) / len(values),
        least=min(values),
        most=max(values),
        deviation=deviation,
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


def _problems(samples_by_task: Mapping[str, Sequence[Sample]], tasks: Mapping[str, Task]) -> Iterator[Diagnostic]:
    if not samples_by_task:
        yield Diagnostic(codes.NO_SAMPLES, "there are no tasks to score")
    references: set[str] | None = None
    for name, samples in samples_by_task.items():
        if not samples:
            yield Diagnostic(codes.NO_SAMPLES, f"task {name} has no samples", hint="evaluate the run again")
        if name not in tasks:
            yield Diagnostic(codes.NO_TASK, f"the spec has no task {name}")
            continue
        for sample in samples:
            where = f"item {sample.index} of task {name}"
            references = set(sample.references) if references is None else references
            if references != set(sample.references):
                yield Diagnostic(codes.REFERENCES_DIFFER, f"{where}: has other references than the first sample")
            for model in ("untuned", "tuned", *sample.references):
                yield from problems(tasks[name], _given(sample, model), f"{where}, {model} model")
