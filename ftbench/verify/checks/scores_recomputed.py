"""Every number of the scores comes out again from the per-item answers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ftbench.errors import InvalidInput
from ftbench.result import options
from ftbench.result.score import score
from ftbench.verify.check import Check, Failure, judge
from ftbench.verify.context import Context
from ftbench.verify.formulas import same

EXACT = (".value", ".mean", ".least", ".most")
"""Quotients of whole numbers and their means: the same to the last digit everywhere, so that none wins a tie by one."""


def run(context: Context) -> str | Failure:
    """Score again with the verifier's own copy of the scorer; compare counts, values, intervals and tests."""
    tasks = [task.name for task in context.spec.evaluation.tasks]
    missing = [f"there are no samples of {task}" for task in tasks if task not in context.samples]
    if missing:
        return judge(missing, "")
    try:
        again = score({task: context.texts[task] for task in tasks}, context.spec.evaluation)
    except InvalidInput as error:
        return judge([problem.message for problem in error.diagnostics], "")
    told, due = context.result.scores.model_dump(mode="json"), again.model_dump(mode="json")
    count = sum(1 for _ in _numbers(due))
    marked = options.told(again)
    evidence = f"{count} numbers recomputed; mean tuned {again.tuned.value:.4f}{'; ' * bool(marked)}{marked}"
    return judge(_differences("scores", told, due), evidence)


def _differences(path: str, told: Any, due: Any) -> Iterator[str]:
    if isinstance(due, dict) and isinstance(told, dict):
        for key in sorted({*told, *due}):
            yield from _differences(f"{path}.{key}", told.get(key), due.get(key))
    elif isinstance(due, float) and isinstance(told, int | float):
        exact = path.endswith(EXACT)
        if told != due if exact else not same(told, due):
            yield f"{path} is {told}, recomputed {due}"
    elif told != due:
        yield f"{path} is {told}, recomputed {due}"


def _numbers(value: Any) -> Iterator[float]:
    if isinstance(value, dict):
        for item in value.values():
            yield from _numbers(item)
    elif isinstance(value, int | float):
        yield value


CHECK = Check("scores-recomputed", "RESCORED", "FTB663", "every score comes out again from the per-item answers", run)
