"""The drawn items asked again, by the run's own evaluation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from ftbench.run.evaluation.job import TUNED, UNTUNED, AskedItem, Job, Phase, read_answers
from ftbench.run.evaluation.process import work
from ftbench.verify.context import Context
from ftbench.verify.evidence import ItemAgain


def ask(
    context: Context,
    compiled: Path,
    folder: Path,
    drawn: Mapping[str, Sequence[int]],
    *,
    threads: int,
    batch_size: int | None = None,
) -> tuple[list[ItemAgain], str]:
    """Task → indices: untuned and tuned answers by task and index, and the device that gave them.

    `folder` holds the bundle's `adapter/`; `batch_size`: prompts in one pass, None: as many as are safe. Raises
    MissingResource where base model or items are not in the store.
    """
    store, base = context.store, context.entry.model
    digest = store.model_digest(base)
    for task in context.spec.evaluation.tasks:
        pin = context.plan.pins.sources[f"task:{task.name}"]
        if pin.digest is not None:
            store.data_path(pin.digest, f"items of task {task.name}")
    job = Job(
        compiled=str(compiled.absolute()),
        stores=[str(root) for root in store.roots],
        model=str(store.model_path(digest, f"{base.name}@{base.revision}").absolute()),
        model_digest=digest,
        held=context.in_force.model,
        phases=[Phase(name=UNTUNED, adapter=None), Phase(name=TUNED, adapter=str((folder / "adapter").absolute()))],
        items={task: list(indices) for task, indices in drawn.items()},
        steps=True,
        threads=threads,
        batch_size=batch_size,
        cache=str(folder / "cache.jsonl"),
        answers=str(folder / "answers"),
    )
    peak = work(job, folder / "job.json", folder / "logs" / "evaluate.log", lambda *_: None)
    untuned, tuned = (_by_place(folder / "answers" / f"{name}.jsonl") for name in (UNTUNED, TUNED))
    found = [
        ItemAgain(
            task=task,
            index=index,
            item=untuned[task, index].item,
            untuned=untuned[task, index].answer,
            tuned=tuned[task, index].answer,
            untuned_steps=untuned[task, index].steps,
            tuned_steps=tuned[task, index].steps,
        )
        for task in sorted(drawn)
        for index in drawn[task]
    ]
    return found, "cuda" if peak.device else "cpu"


def _by_place(path: Path) -> dict[tuple[str, int], AskedItem]:
    return {(one.task, one.index): one for one in read_answers(path)}
