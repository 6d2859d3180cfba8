"""The items of a task, from the verifier's own store."""

from __future__ import annotations

from typing import Any

from ftbench.data.local import ARCHIVE
from ftbench.errors import MissingResource
from ftbench.spec.model import FileSource
from ftbench.verify.check import NotRun
from ftbench.verify.context import Context


def task_rows(context: Context, task: str) -> list[dict[str, Any]]:
    """The rows that the plan's pins name for `task`, read once. Raises NotRun where the store lacks them."""
    if task in context.rows:
        return context.rows[task]
    pin = context.plan.pins.sources[f"task:{task}"]
    if pin.digest is None:
        raise NotRun(f"the items of {task} are not pinned")
    try:
        rows = context.rows[task] = context.store.rows(pin.digest, command=_command(context, task))
    except MissingResource as error:
        told = error.diagnostics[0]
        raise NotRun(f"the items of {task} are not here: {told.message} {told.hint}".strip()) from error
    return rows


def _command(context: Context, task: str) -> str:
    """What brings the rows here."""
    source = next((one.source for one in context.spec.evaluation.tasks if one.name == task), None)
    return ARCHIVE if isinstance(source, FileSource) else "ftbench data fetch SPEC"
