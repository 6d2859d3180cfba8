"""`.eval_results/` of a model's repository on the Hugging Face hub, by the hub's own package."""

from __future__ import annotations

import json
from typing import Any

from ftbench import codes
from ftbench.diagnostics import Diagnostic
from ftbench.errors import InvalidInput
from ftbench.export.source import Exported
from ftbench.spec.emit import emit
from ftbench.spec.model import HubSource

FOLDER = ".eval_results"


def records(one: Exported, source: str) -> dict[str, bytes]:
    """Path in the model's repository → bytes: an entry for each task whose items are a data set of the hub.

    `source`: address of the entry's page. Raises InvalidInput (FTB715) where no task's items are.
    """
    from huggingface_hub import EvalResultEntry, eval_result_entries_to_yaml

    entries = []
    for task in one.plan.typed_spec().evaluation.tasks:
        if not isinstance(task.source, HubSource):
            continue
        pin = one.plan.pins.sources.get(f"task:{task.name}")
        entries.append(
            EvalResultEntry(
                dataset_id=task.source.repo,
                task_id=task.name,
                value=one.result.scores.tasks[task.name].tuned.value,
                dataset_revision=(pin.revision if pin is not None else None) or task.source.revision,
                source_url=source,
                source_name=f"ftbench {one.result.name} {one.result.version}",
                notes=_notes(one, one.result.scores.tasks[task.name].tuned.items),
            )
        )
    if not entries:
        message = f"no task of {one.result.name} has items that are a data set of the hub"
        raise InvalidInput(Diagnostic(codes.NOTHING_FOR_THE_HUB, message, hint="`ftbench export eee` takes any task"))
    told: list[dict[str, Any]] = eval_result_entries_to_yaml(entries)
    return {f"{FOLDER}/ftbench-{one.result.name}.yaml": _yaml(told)}


def _notes(one: Exported, items: int) -> str:
    return (
        f"spec hash {one.result.spec_hash}; adapter {one.result.adapter}; {one.verdict.level} by {one.verdict.verifier}"
    )


def _yaml(entries: list[dict[str, Any]]) -> bytes:
    """A list of mappings; `emit` writes mappings, whose lines are put under a dash."""
    blocks = [emit(json.loads(json.dumps(one))).decode().splitlines() for one in entries]
    return "".join(f"{'- ' if not n else '  '}{line}\n" for block in blocks for n, line in enumerate(block)).encode()
