"""Code tasks: what the models wrote becomes programs, and these are run by the compiled benchmark's sandbox."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from ftbench import codes
from ftbench.compile.plan import Plan
from ftbench.data.store import Store
from ftbench.diagnostics import Diagnostic
from ftbench.errors import MissingResource
from ftbench.result import programs
from ftbench.run.evaluation.job import AskedItem
from ftbench.run.evaluation.process import Progress
from ftbench.spec.tasks import CodeTask

Sandbox = Literal["bubblewrap", "none"]


def check_sandbox(compiled: Path, plan: Plan, *, unsafe: bool) -> Sandbox | None:
    """What programs will be run in; None where no task has any. To be asked before a model is loaded.

    With `unsafe` they are run without a sandbox where there is none. Raises MissingResource (FTB573).
    """
    wanted = programs.needs(_code_tasks(plan))
    if not wanted:
        return None
    script = compiled / "tasks" / programs.SCRIPT
    reason = programs.missing(script, wanted)
    if not reason:
        return "bubblewrap"
    if unsafe:
        reason = programs.missing(script, wanted, unsafe=True)
        if not reason:
            return "none"
    hint = (
        "install bubblewrap and the languages' tools (Debian: bubblewrap python3 nodejs g++), and packages at the "
        "spec's versions; --unsafe-no-sandbox runs "
        "generated programs with your own rights, and the result says so"
    )
    raise MissingResource(Diagnostic(codes.NO_SANDBOX, f"generated programs can't be run: {reason}", hint=hint))


def run_programs(
    compiled: Path,
    plan: Plan,
    store: Store,
    asked: Mapping[str, list[AskedItem]],
    on_progress: Progress,
    *,
    unsafe: bool = False,
) -> dict[str, list[AskedItem]]:
    """The same answers, those to code tasks with `passed` and `status`. Raises RunFailed where the sandbox fails."""
    done = {phase: list(answers) for phase, answers in asked.items()}
    script = compiled / "tasks" / programs.SCRIPT
    for task in _code_tasks(plan):
        digest = plan.pins.sources[f"task:{task.name}"].digest
        rows = store.rows(digest) if digest is not None else []
        # All phases at once: what the sandbox builds for an item serves all of its programs.
        places = [(answers, n) for answers in done.values() for n, a in enumerate(answers) if a.task == task.name]
        jobs = [programs.job(task, rows[answers[n].index], answers[n].answer.text or "") for answers, n in places]
        on_progress(f"{task.name} programs", 0, len(jobs))
        for (answers, n), outcome in zip(places, programs.outcomes(script, jobs, unsafe=unsafe), strict=True):
            told = {"passed": outcome["passed"], "status": outcome["status"]}
            answers[n] = answers[n].model_copy(update={"answer": answers[n].answer.model_copy(update=told)})
        on_progress(f"{task.name} programs", len(jobs), len(jobs))
    return done


def _code_tasks(plan: Plan) -> list[CodeTask]:
    return [task for task in plan.typed_spec().evaluation.tasks if isinstance(task, CodeTask)]
