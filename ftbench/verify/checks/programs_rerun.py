"""The programs that the models wrote pass, or fail, here as well: in the verifier's own copy of the sandbox."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import ftbench
from ftbench.errors import RunFailed
from ftbench.result import programs
from ftbench.result.documents import Answer
from ftbench.result.marks import NOT_PLAIN
from ftbench.spec.tasks import CodeTask
from ftbench.verify.check import Check, Failure, NotRun, judge, plural
from ftbench.verify.context import Context
from ftbench.verify.items import task_rows

SCRIPT = Path(ftbench.__file__).parent / "tasks" / programs.SCRIPT
"""Run as a process of its own, never imported."""
KNOWN = (
    "That a program solves its problem in general: it is judged by the plain values that its functions return to the "
    "tests' calls, so one that knows these answers by heart passes, and a test that takes a helper from the program "
    "believes that helper."
)
SLOWER = 4
"""How many times slower or faster than the submitter's a machine may be, where the limit on CPU time decides."""


def run(context: Context) -> str | Failure:
    """Make each program of the recorded text again and run it. Raises NotRun where there is no sandbox here."""
    tasks = [task for task in context.spec.evaluation.tasks if isinstance(task, CodeTask)]
    if not tasks:
        return judge(["the result names a sandbox"] if context.result.sandbox else [], "no task has programs")
    if context.result.sandbox is None:
        return Failure("the result does not say what programs were run in")
    reason = programs.missing(SCRIPT, programs.needs(tasks))
    if reason:
        raise NotRun(f"programs cannot be run again here: {reason}")
    problems: list[str] = []
    statuses: Counter[str] = Counter()
    for task in tasks:
        found, ran = _task(context, task)
        problems += found
        statuses.update(ran)
    context.notes.append(KNOWN)
    ended = ", ".join(f"{count} {status}" for status, count in sorted(statuses.items()))
    told = "" if context.result.sandbox == "bubblewrap" else "; the submitter ran them without a sandbox"
    return judge(problems, f"{plural(statuses.total(), 'program')} run again in bubblewrap: {ended}{told}")


def _task(context: Context, task: CodeTask) -> tuple[list[str], list[str]]:
    """What is wrong, and how each program ended here."""
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
        f"{where}: said to have {_verb(answer.passed)} ({answer.status}), run again it {_verb(outcome['passed'])} "
        f"({outcome['status']})"
        for (where, _, answer), outcome in zip(told, again, strict=True)
        if _counted(answer.passed, answer.status) != _counted(outcome["passed"], outcome["status"])
        and not _in_time_here(task, answer, outcome)
    ]
    return problems, [outcome["status"] for outcome in again]


def _in_time_here(task: CodeTask, answer: Answer, outcome: dict[str, Any]) -> bool:
    """Whether it ran out of time there and took long here: then the other machine was the slower one."""
    long = outcome["cpu_seconds"] > task.cpu_seconds / SLOWER
    return answer.status == "timeout" and bool(outcome["passed"]) and long


def _counted(passed: bool | None, status: str | None) -> tuple[bool | None, bool]:
    """What a score counts of how a program ended."""
    return passed, status == NOT_PLAIN


def _verb(passed: bool | None) -> str:
    return "passed" if passed else "failed"


CHECK = Check("programs-rerun", "RESCORED", "FTB664", "programs pass or fail again in the verifier's sandbox", run)
