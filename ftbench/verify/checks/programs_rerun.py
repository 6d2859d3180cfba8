"""The programs that the models wrote pass, or fail, here as well: in the verifier's own copy of the sandbox."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ftbench
from ftbench.errors import RunFailed
from ftbench.result import programs
from ftbench.result.models import Answer
from ftbench.spec.tasks import CodeTask
from ftbench.verify.check import Check, Failure, NotRun, judge, plural
from ftbench.verify.context import Context
from ftbench.verify.items import task_rows

SCRIPT = Path(ftbench.__file__).parent / "tasks" / programs.SCRIPT
"""Run as a process of its own, never imported."""
SLOWER = 4
"""How many times slower or faster than the submitter's a machine may be, where the limit on CPU time decides."""


def run(context: Context) -> str | Failure:
    """Make each program of the recorded text again and run it. Raises NotRun where there is no sandbox here."""
    tasks = [task for task in context.spec.evaluation.tasks if isinstance(task, CodeTask)]
    if not tasks:
        return judge(["the result names a sandbox"] if context.result.sandbox else [], "no task has programs")
    if context.result.sandbox is None:
        return Failure("the result does not say what programs were run in")
    reason = programs.missing(SCRIPT, {task.language for task in tasks})
    if reason:
        raise NotRun(f"programs cannot be run again here: {reason}")
    problems: list[str] = []
    count = 0
    for task in tasks:
        found, ran = _task(context, task)
        problems += found
        count += ran
    told = "" if context.result.sandbox == "bubblewrap" else "; the submitter ran them without a sandbox"
    return judge(problems, f"{plural(count, 'program')} run again in bubblewrap{told}")


def _task(context: Context, task: CodeTask) -> tuple[list[str], int]:
    rows = task_rows(context, task.name)
    told = [
        (f"{task.name}, item {sample.index}, {model}", rows[sample.index], answer)
        for sample in context.samples.get(task.name, [])
        if sample.index < len(rows)
        for model, answer in {"untuned": sample.untuned, "tuned": sample.tuned, **sample.references}.items()
    ]
    jobs = [programs.job(task, row, answer.text or "") for _, row, answer in told]
    try:
        again = programs.outcomes(SCRIPT, jobs)
        # What passed there and runs out of time here gets more of it: this machine may be the slower one.
        late = [n for n, (_, _, a) in enumerate(told) if a.passed and again[n]["status"] == "timeout"]
        longer = [{**jobs[n], "cpu_seconds": SLOWER * task.cpu_seconds} for n in late]
        for n, outcome in zip(late, programs.outcomes(SCRIPT, longer), strict=True):
            again[n] = outcome
    except RunFailed as error:
        raise NotRun(f"the sandbox failed here: {error.diagnostics[0].message}") from error
    problems = [
        f"{where}: said to have {_verb(answer.passed)}, run again it {_verb(outcome['passed'])} ({outcome['status']})"
        for (where, _, answer), outcome in zip(told, again, strict=True)
        if answer.passed != outcome["passed"] and not _in_time_here(task, answer, outcome)
    ]
    return problems, len(jobs)


def _in_time_here(task: CodeTask, answer: Answer, outcome: dict[str, Any]) -> bool:
    """Whether it ran out of time there and took long here: then the other machine was the slower one."""
    long = outcome["cpu_seconds"] > task.cpu_seconds / SLOWER
    return answer.status == "timeout" and bool(outcome["passed"]) and long


def _verb(passed: bool | None) -> str:
    return "passed" if passed else "failed"


CHECK = Check("programs-rerun", "RESCORED", "FTB664", "programs pass or fail again in the verifier's sandbox", run)
