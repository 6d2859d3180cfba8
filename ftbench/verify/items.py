"""The items of a task, from the verifier's own store."""

from __future__ import annotations

from typing import Any

from ftbench.errors import MissingResource
from ftbench.verify.check import NotRun
from ftbench.verify.context import Context


def task_rows(context: Context, task: str) -> list[dict[str, Any]]:
    """The rows that the plan's pins name for `task`. Raises NotRun where the store lacks them."""
    pin = context.plan.pins.sources[f"task:{task}"]
    if pin.digest is None:
        raise NotRun(f"the items of {task} are not pinned")
    try:
        rows = context.store.rows(pin.digest)
    except MissingResource as error:
        told = error.diagnostics[0]
        raise NotRun(f"the items of {task} are not here: {told.message} {told.hint}".strip()) from error
    return list(rows)
