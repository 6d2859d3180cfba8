"""The answers can be a model's: all that the scorings ask for and no more, and tuning changed something."""

from __future__ import annotations

from collections.abc import Iterator

from ftbench.result import marks
from ftbench.result.models import Sample
from ftbench.result.references import due_references
from ftbench.spec.tasks import Task
from ftbench.verify.check import Check, Failure, judge, plural
from ftbench.verify.context import Context


def run(context: Context) -> str | Failure:
    """One finite number of at most 0 for each option, text where the model writes, every reference that is due; an
    adapter that is not zero moves some of the numbers."""
    due = due_references(context.spec)
    tasks = {task.name: task for task in context.spec.evaluation.tasks}
    problems = [
        problem
        for name, samples in context.samples.items()
        if name in tasks
        for problem in _task(tasks[name], samples, due)
    ]
    answers = [sample for samples in context.samples.values() for sample in samples]
    acts = any(any(t.data) for name, t in context.tensors.items() if name.endswith("lora_B.weight"))
    # Equal texts are no wonder; equal log-likelihoods are.
    told = [sample for sample in answers if sample.tuned.loglikelihoods is not None]
    if acts and told and all(sample.tuned == sample.untuned for sample in told):
        problems.append("the adapter is not zero, yet every tuned answer is the untuned one to the last digit")
    return judge(problems, f"{plural((2 + len(due)) * len(answers), 'answer')}, none above 0 nats")


def _task(task: Task, samples: list[Sample], due: list[str]) -> Iterator[str]:
    for sample in samples:
        where = f"{task.name}, item {sample.index}"
        if sorted(sample.references) != sorted(due):
            yield f"{where}: answers of {len(sample.references)} references, the spec asks for {len(due)}"
        for kind, answer in {"untuned": sample.untuned, "tuned": sample.tuned, **sample.references}.items():
            given = marks.Given(answer, sample.options, sample.target)
            yield from (problem.message for problem in marks.problems(task, given, f"{where}, {kind}"))


CHECK = Check("answers-possible", "RESCORED", "FTB662", "the answers are such as a model can give", run)
