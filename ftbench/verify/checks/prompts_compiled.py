"""Prompts, options and right answers are those that the plan's templates make of the items."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from ftbench.result.documents import Sample, Withheld
from ftbench.result.withheld import digested, holds_digests
from ftbench.spec.answers import right_option
from ftbench.spec.tasks import CodeTask, Task
from ftbench.verify.check import Check, Failure, judge, plural
from ftbench.verify.context import Context
from ftbench.verify.items import task_rows
from ftbench.verify.template import asked, render


def run(context: Context) -> str | Failure:
    """Render every item again with the verifier's own renderer; where a digest stands for a text, digest it."""
    problems: list[str] = []
    for task in context.spec.evaluation.tasks:
        problems += _task(task, context.samples.get(task.name, []), task_rows(context, task.name))
    count = sum(len(samples) for samples in context.samples.values())
    kept = sum(holds_digests(sample) for samples in context.samples.values() for sample in samples)
    return judge(problems, f"{plural(count, 'prompt')} rendered again" + (f", {kept} by digest" if kept else ""))


def _task(task: Task, samples: Sequence[Sample], rows: Sequence[Mapping[str, object]]) -> Iterator[str]:
    for sample in samples:
        if sample.index >= len(rows):
            yield f"{task.name}: there is no item {sample.index}"
            continue
        row, where = rows[sample.index], f"{task.name}, item {sample.index}"
        if not _same(sample.prompt, asked(task, row)):
            yield f"{where}: another prompt than the compiled one"
        if isinstance(task, CodeTask):
            if sample.options or sample.target is not None:
                yield f"{where}: a code task has neither options nor a target"
            continue
        due = [render(option, row) for option in task.options]
        if len(sample.options) != len(due) or not all(map(_same, sample.options, due)):
            yield f"{where}: other options, or in another order"
        try:
            right: int | None = right_option(row.get(task.answer), due)
        except ValueError:
            right = None
        if sample.target != right:
            yield f"{where}: option {sample.target} is given as right, the data say {row.get(task.answer)}"


def _same(told: str | Withheld, due: str) -> bool:
    """Whether a text, or the digest that stands for it, is of the text that is due."""
    return told == (digested(due) if isinstance(told, Withheld) else due)


CHECK = Check("prompts-compiled", "RESCORED", "FTB661", "prompts, options and targets are the compiled ones", run)
