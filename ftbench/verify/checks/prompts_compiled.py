"""Prompts, options and right answers are those that the plan's templates make of the items."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from ftbench.result.documents import Sample
from ftbench.spec.tasks import CodeTask, Task
from ftbench.verify.check import Check, Failure, judge, plural
from ftbench.verify.context import Context
from ftbench.verify.items import task_rows
from ftbench.verify.template import render


def run(context: Context) -> str | Failure:
    """Render every item again with the verifier's own renderer."""
    problems: list[str] = []
    for task in context.spec.evaluation.tasks:
        problems += _task(task, context.samples.get(task.name, []), task_rows(context, task.name))
    count = sum(len(samples) for samples in context.samples.values())
    return judge(problems, f"{plural(count, 'prompt')} rendered again")


def _task(task: Task, samples: Sequence[Sample], rows: Sequence[Mapping[str, object]]) -> Iterator[str]:
    for sample in samples:
        if sample.index >= len(rows):
            yield f"{task.name}: there is no item {sample.index}"
            continue
        row, where = rows[sample.index], f"{task.name}, item {sample.index}"
        if sample.prompt != render(task.prompt, row):
            yield f"{where}: another prompt than the compiled one"
        if isinstance(task, CodeTask):
            if sample.options or sample.target is not None:
                yield f"{where}: a code task has neither options nor a target"
            continue
        if sample.options != [render(option, row) for option in task.options]:
            yield f"{where}: other options, or in another order"
        if sample.target != row[task.answer]:
            yield f"{where}: option {sample.target} is given as right, the data say {row[task.answer]}"


CHECK = Check("prompts-compiled", "RESCORED", "FTB661", "prompts, options and targets are the compiled ones", run)
