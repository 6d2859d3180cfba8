"""Clusters of items: of tasks that are there, by columns that they have."""

from __future__ import annotations

from collections.abc import Iterator

from ftbench import codes
from ftbench.diagnostics import did_you_mean
from ftbench.spec.model import Spec
from ftbench.spec.problems import Problem


def clusters(spec: Spec) -> Iterator[Problem]:
    """Every cluster key is a task's, and goes by one of its columns or by blocks, not by both."""
    if spec.reporting is None or spec.reporting.clusters is None:
        return
    tasks = {task.name: task for task in spec.evaluation.tasks}
    names = list(tasks)
    for name, key in spec.reporting.clusters.items():
        at = ("reporting", "clusters", name)
        if name in tasks and key.column is not None and key.column not in tasks[name].columns:
            hint = did_you_mean(key.column, tasks[name].columns) or f"it has: {', '.join(tasks[name].columns)}"
            message = f"the task `{name}` has no column `{key.column}`"
            yield Problem(codes.UNKNOWN_COLUMN, (*at, "column"), message, hint)
        if key.column is not None and key.blocks is not None:
            message = f"the clusters of `{name}` go by `column` or by `blocks`, not by both"
            yield Problem(codes.CONTRADICTION, at, message, "leave one out")
        if name not in tasks:
            hint = did_you_mean(name, names) or f"the spec's tasks: {', '.join(names)}"
            message = f"`reporting.clusters` names `{name}`, which is no task of the spec"
            yield Problem(codes.UNKNOWN_PATH, at, message, hint)
