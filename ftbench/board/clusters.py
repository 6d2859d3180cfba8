"""Which items belong together: each task's cluster key (`reporting.clusters`) looked up in the rows of the store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ftbench.board.submission import Clusters
from ftbench.compile.plan import Plan
from ftbench.data.store import Store
from ftbench.errors import FtbenchError
from ftbench.spec import template
from ftbench.spec.canonical import canonical
from ftbench.spec.model import ClusterKey, Task


@dataclass(frozen=True)
class Clustering:
    """The clusters of a benchmark, and a sentence on each task that asks for them."""

    of_task: Clusters = field(default_factory=dict)
    told: Sequence[str] = ()


def clustering(plan: Plan, store: Store) -> Clustering:
    """Every task's clusters. A task whose rows are not in the store, or lack the column, is told of and left out."""
    keys = (plan.reporting.clusters if plan.reporting else None) or {}
    found: dict[str, list[str]] = {}
    told = []
    for task in plan.typed_spec().evaluation.tasks:
        if task.name not in keys:
            continue
        labels = _labels(task, keys[task.name], plan, store)
        if isinstance(labels, str):
            told.append(f"clusters of {task.name}: {labels}; its items stand by themselves")
        else:
            found[task.name] = labels
            told.append(
                f"clusters of {task.name}: {len(set(labels)):,} of {len(labels):,} items, by {_by(keys[task.name])}"
            )
    return Clustering(found, told)


def _labels(task: Task, key: ClusterKey, plan: Plan, store: Store) -> list[str] | str:
    """The cluster of each item in order, or why it is not known."""
    pin = plan.pins.sources.get(f"task:{task.name}")
    if pin is None or pin.digest is None:
        return "its items are not pinned"
    try:
        rows = list(store.rows(pin.digest))
    except FtbenchError:
        return "its items are not in the store"
    space = f"shared {key.shared}" if key.shared is not None else f"task {task.name}"
    if key.blocks is not None:
        if sum(key.blocks) != len(rows):
            return f"its blocks come to {sum(key.blocks):,} items, there are {len(rows):,}"
        return [f"{space}: block {number}" for number, size in enumerate(key.blocks) for _ in range(size)]
    columns = [key.column] if key.column is not None else _prompt(task)
    missing = [column for column in columns if any(column not in row for row in rows)]
    if missing:
        return f"its rows have no column {missing[0]}"
    return [f"{space}: {_value(row, columns)}" for row in rows]


def _prompt(task: Task) -> list[str]:
    """Columns that the prompt shows."""
    return sorted(set(template.columns(task.prompt)))


def _value(row: Mapping[str, Any], columns: Sequence[str]) -> str:
    return canonical([row[column] for column in columns]).decode()


def _by(key: ClusterKey) -> str:
    named = "blocks" if key.blocks is not None else key.column if key.column is not None else "equal prompts"
    return f"{named}, shared as {key.shared}" if key.shared is not None else named
