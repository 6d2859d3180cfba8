"""A task's prompt for one item, and what is wrong with the item. Pure: lock, runner and checks share it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ftbench import codes
from ftbench.diagnostics import Diagnostic
from ftbench.spec.tasks import CodeTask, Task
from ftbench.spec.template import fill


def filled(task: Task, row: Mapping[str, object]) -> str:
    """The prompt as the model is given it. Raises TemplateError and KeyError."""
    prompt = fill(task.prompt, row)
    return prompt.rstrip() if task.strip_prompt == "right" else prompt


def item_problems(task: Task, row: Mapping[str, object], index: int) -> Iterator[Diagnostic]:
    """White space at the end of the prompt (FTB365), and a stop string that cuts the authors' solution (FTB366)."""
    where = f"item {index} of task {task.name}"
    prompt = filled(task, row)
    if prompt != prompt.rstrip():
        message = f"{where}: the prompt ends in white space, {prompt[-20:]!r}, after which models write nothing"
        yield Diagnostic(codes.PROMPT_END, message, hint="write `strip_prompt: right` in the task")
    if isinstance(task, CodeTask) and task.reference is not None:
        solution = fill(task.reference, row).replace("\r\n", "\n")
        for stop in task.generation.stop:
            if stop in solution:
                message = f"{where}: the stop string {stop!r} cuts the authors' own solution"
                yield Diagnostic(codes.STOP_CUTS, message, hint="leave it out of `generation.stop`")
