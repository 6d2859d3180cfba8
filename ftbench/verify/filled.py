"""Samples with the text of their items put back where the bundle holds digests: from the verifier's own store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ftbench import codes
from ftbench.compile.plan import Plan
from ftbench.data.store import Store
from ftbench.diagnostics import Diagnostic
from ftbench.errors import MissingResource
from ftbench.result.documents import Sample
from ftbench.result.withheld import holds_digests
from ftbench.spec.tasks import CodeTask, Task
from ftbench.verify.template import asked, render


def filled(samples: Mapping[str, Sequence[Sample]], plan: Plan, store: Store) -> dict[str, list[Sample]]:
    """Task → its samples, with prompts and options as the plan's templates make them of the store's rows.

    Samples that hold their text stay as they are, and then no store is asked. That digests are those of these texts
    is not looked at here: the check `prompts-compiled` does. Raises MissingResource where the rows are not here.
    """
    tasks = {task.name: task for task in plan.typed_spec().evaluation.tasks}
    return {
        name: _task(tasks[name], given, _rows(name, plan, store))
        if name in tasks and any(map(holds_digests, given))
        else list(given)
        for name, given in samples.items()
    }


def _task(task: Task, samples: Sequence[Sample], rows: Sequence[Mapping[str, object]]) -> list[Sample]:
    return [
        _filled(task, sample, rows[sample.index]) if holds_digests(sample) and sample.index < len(rows) else sample
        for sample in samples
    ]


def _filled(task: Task, sample: Sample, row: Mapping[str, object]) -> Sample:
    options = [] if isinstance(task, CodeTask) else [render(option, row) for option in task.options]
    return sample.model_copy(update={"prompt": asked(task, row), "options": options})


def _rows(task: str, plan: Plan, store: Store) -> list[dict[str, Any]]:
    pin = plan.pins.sources[f"task:{task}"]
    if pin.digest is None:
        raise MissingResource(Diagnostic(codes.ITEMS_UNFIT, f"the items of {task} are not pinned"))
    return store.rows(pin.digest, f"items of task {task}", "ftbench data fetch SPEC")
