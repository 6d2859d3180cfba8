"""Asking a compiled benchmark's items of the untuned model and of an adapter: what `carry --ask` does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from ftbench.data.store import Store
from ftbench.result.documents import Sample
from ftbench.run.evaluation.evaluate import evaluate_adapter
from ftbench.run.evaluation.process import Progress
from ftbench.spec.model import BaseModelRef


def ask(
    compiled: Path, adapter: Path | None, base: BaseModelRef, store: Store, *, on_progress: Progress
) -> Mapping[str, Sequence[Sample]]:
    """Task → samples with the answers of both. Raises as `evaluate_adapter` does."""
    answers = {}
    for name, folder in (("untuned", None), ("tuned", adapter)):
        out = compiled.parent / f"asked-{name}"
        out.mkdir(exist_ok=True)
        answers[name] = evaluate_adapter(compiled, folder, base, store=store, out=out, on_progress=on_progress).answers
    return {
        task: [
            Sample(
                index=before.index,
                item=before.item,
                prompt=before.prompt,
                options=list(before.options),
                target=before.target,
                untuned=before.answer,
                tuned=after.answer,
            )
            for before, after in zip(asked, answers["tuned"][task], strict=True)
        ]
        for task, asked in answers["untuned"].items()
    }
