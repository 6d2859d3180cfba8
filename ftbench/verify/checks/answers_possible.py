"""Nothing in the answers is what no model gives: they are all that is asked for, and tuning changed some."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence
from itertools import pairwise

from ftbench.result import marks
from ftbench.result.documents import Sample, Withheld
from ftbench.result.references import FAULT_FREE, due_references
from ftbench.spec.budgets import within_names
from ftbench.spec.tasks import Task
from ftbench.verify.budgets import alike
from ftbench.verify.check import Check, Failure, judge, plural
from ftbench.verify.context import Context
from ftbench.verify.references import same_as_the_run

MOST_LIKELY = 1.1
"""Probability of all options together, with room for arithmetic of few bits."""


def run(context: Context) -> str | Failure:
    """One finite number of at most 0 for each option, text where the model writes, every reference that is due; no
    two models have all numbers alike."""
    due = [*due_references(context.spec), *within_names(context.spec.evaluation.quality_within)]
    tasks = {task.name: task for task in context.spec.evaluation.tasks}
    problems = [
        problem
        for name, samples in context.texts.items()
        if name in tasks
        for problem in _task(tasks[name], samples, due)
    ]
    answers = [sample for samples in context.texts.values() for sample in samples]
    problems += _same(answers, {*alike(context), *([FAULT_FREE] if same_as_the_run(context) else [])})
    problems += [
        problem for name, given in context.texts.items() if name in tasks for problem in _certain(tasks[name], given)
    ]
    return judge(
        problems, f"{plural((2 + len(due)) * len(answers), 'answer')}, no log-likelihood above {marks.ROUNDING:g}"
    )


def _certain(task: Task, samples: Sequence[Sample]) -> Iterator[str]:
    """Options none of which begins another exclude each other: their probabilities add up to 1 at most.

    A reading of the prompt that differs from option to option may exceed it here and there, not on most items.
    """
    apart = [sample for sample in samples if not _begins_another(sample.options)]
    for model in ("untuned", "tuned", *(samples[0].references if samples else ())):
        over = asked = 0
        for sample in apart:
            answer = sample.answer(model)
            if answer is None or answer.loglikelihoods is None:
                continue
            asked += 1
            over += math.fsum(math.exp(min(one, 1.0)) for one in answer.loglikelihoods) > MOST_LIKELY
        if 2 * over > asked:
            yield f"{task.name}, {model}: the options are more likely than certain, taken together, on {over} items"


def _begins_another(options: Sequence[str | Withheld]) -> bool:
    ordered = sorted(option for option in options if isinstance(option, str))
    return any(after.startswith(before) for before, after in pairwise(ordered))


def _same(answers: Sequence[Sample], known: Collection[str]) -> Iterator[str]:
    """Models with the same numbers: equal texts are no wonder, equal log-likelihoods are, but of those that are
    `known`, other names of the same adapter."""
    told = [sample for sample in answers if sample.tuned.loglikelihoods is not None]
    seen: dict[tuple[tuple[float, ...], ...], str] = {}
    for model in ("untuned", "tuned", *(told[0].references if told else ())):
        if model in known:
            continue
        given = [sample.answer(model) for sample in told]
        numbers = tuple(tuple(one.loglikelihoods or ()) if one else () for one in given)
        if any(numbers) and numbers in seen:
            yield f"every answer of {model} is that of {seen[numbers]} to the last digit, with another adapter"
        seen.setdefault(numbers, model)


def _task(task: Task, samples: list[Sample], due: list[str]) -> Iterator[str]:
    asked = sorted(due)
    for sample in samples:
        where = f"{task.name}, item {sample.index}"
        if sorted(sample.references) != asked:
            yield f"{where}: answers of {len(sample.references)} references, the spec asks for {len(due)}"
        for kind, answer in {"untuned": sample.untuned, "tuned": sample.tuned, **sample.references}.items():
            given = marks.Given(answer, sample.options, sample.target)
            yield from (problem.message for problem in marks.problems(task, given, f"{where}, {kind}"))


CHECK = Check("answers-possible", "RESCORED", "FTB662", "nothing in the answers is what no model gives", run)
