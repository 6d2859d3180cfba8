"""Every task was asked with its items: all of them, each once, in order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ftbench.result.documents import Sample
from ftbench.spec.canonical import canonical_json, sha256
from ftbench.verify.check import Check, Failure, judge
from ftbench.verify.context import Context
from ftbench.verify.items import task_rows


def run(context: Context) -> str | Failure:
    """Compare index and item digest of each sample with the task's rows in the store."""
    problems: list[str] = []
    counts = []
    for task in context.spec.evaluation.tasks:
        rows = task_rows(context, task.name)
        counts.append(f"{task.name} {len(rows)}")
        problems += _task(task.name, context.samples.get(task.name, []), [sha256(canonical_json(row)) for row in rows])
    return judge(problems, f"items by digest and in order: {', '.join(counts)}")


def _task(name: str, samples: Sequence[Sample], due: Sequence[str]) -> Iterator[str]:
    if len(samples) != len(due):
        yield f"{name}: {len(samples)} samples, the task has {len(due)} items"
    for position, (sample, item) in enumerate(zip(samples, due, strict=False)):
        if sample.index != position or sample.item != item:
            yield f"{name}: sample {position + 1} is not item {position} of the task"


CHECK = Check("items-asked", "RESCORED", "FTB660", "every task was asked with its items, all and in order", run)
