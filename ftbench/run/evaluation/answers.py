"""From the harness's samples to items with their answers, and the harness's own marks against ours."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ftbench import codes
from ftbench.diagnostics import Diagnostic
from ftbench.errors import RunFailed
from ftbench.result.documents import Answer
from ftbench.result.marks import Given, asks_likelihood, asks_text, mark
from ftbench.run.evaluation.job import AskedItem
from ftbench.spec.tasks import CodeTask, Task

GENERATED = "-generated"
"""What is added to a choice task's name for the harness task in which the model writes its answer."""

Sample = dict[str, Any]


def harness_tasks(task: Task) -> list[str]:
    """The harness tasks that a task of the spec is asked by."""
    if isinstance(task, CodeTask):
        return [task.name]
    return [task.name] * asks_likelihood(task) + [task.name + GENERATED] * asks_text(task)


def read(task: Task, results: Mapping[str, Any]) -> list[AskedItem]:
    """The items of one task in their order, each with all that was asked of it.

    Raises RunFailed (FTB570) where the harness marks answers otherwise than ftbench does, RuntimeError where it did not
    ask as it was told to.
    """
    by_name = {
        name: sorted(results["samples"][name], key=lambda sample: int(sample["doc"]["index"]))
        for name in harness_tasks(task)
    }
    asked = [_asked(task, samples) for samples in zip(*by_name.values(), strict=True)]
    for name in by_name:
        if not isinstance(task, CodeTask):  # programs are run later, and not by the harness
            _check_marks(task, name, asked, results["results"][name]["acc,none"])
    return asked


def _asked(task: Task, samples: Sequence[Sample]) -> AskedItem:
    """One item from its sample in each harness task, with prompt and options as they were in the requests."""
    docs = [sample["doc"] for sample in samples]
    prompts = {arguments[0] for sample in samples for arguments in sample["arguments"]}
    if len(prompts) != 1 or len({doc["item"] for doc in docs}) != 1:
        raise RuntimeError(f"lm-eval asked item {docs[0]['index']} of task {task.name} with several prompts")
    answer: dict[str, Any] = {}
    options: list[str] = [] if isinstance(task, CodeTask) else list(docs[0]["options"])
    for sample in samples:
        if isinstance(sample["arguments"][0][1], str):
            options = [option for _, option in sample["arguments"]]
            answer["loglikelihoods"] = [float(value) for value, _ in sample["filtered_resps"]]
        else:
            (answer["text"],) = sample["filtered_resps"]
    return AskedItem(
        task=task.name,
        index=docs[0]["index"],
        item=docs[0]["item"],
        prompt=prompts.pop(),
        options=options,
        target=None if isinstance(task, CodeTask) else docs[0]["target"],
        answer=Answer(**answer),
    )


def _check_marks(task: Task, name: str, asked: Sequence[AskedItem], theirs: float) -> None:
    """The harness and our scorer must find the same number of right answers."""
    scoring = next(_scorings(task, name))
    ours = sum(mark(task, scoring, Given(a.answer, a.options, a.target, a.prompt)) == "right" for a in asked)
    if round(theirs * len(asked)) != ours:
        message = f"task {name}: lm-eval's accuracy is {theirs}, its samples give {ours} of {len(asked)}"
        raise RunFailed(Diagnostic(codes.HARNESS_DISAGREES, message))


def _scorings(task: Task, name: str) -> Iterator[str]:
    """The scorings that a harness task serves; its `acc` is that of the first."""
    for scoring in task.scoring:
        if (scoring == "likelihood") == (name == task.name):
            yield scoring
