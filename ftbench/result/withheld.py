"""Samples without the text of their items: digests stand for prompts and options that may not be passed on."""

from __future__ import annotations

from collections.abc import Iterable

from ftbench.result.documents import Sample, Withheld
from ftbench.spec.canonical import sha256
from ftbench.spec.model import BuiltinSource, Evaluation
from ftbench.spec.sources import CanarySource


def withheld_tasks(evaluation: Evaluation) -> list[str]:
    """The tasks whose source says that its text may not be passed on, in the order of the spec."""
    return [
        task.name
        for task in evaluation.tasks
        if not isinstance(task.source, BuiltinSource | CanarySource) and task.source.redistribute == "no"
    ]


def withhold(samples: Iterable[Sample]) -> list[Sample]:
    """The samples with digests for prompts and options. What models wrote stays: scores come from it."""
    return [
        sample.model_copy(
            update={"prompt": digested(sample.prompt), "options": [digested(option) for option in sample.options]}
        )
        for sample in samples
    ]


def digested(text: str | Withheld) -> Withheld:
    """What stands for a text; a digest stays."""
    return text if isinstance(text, Withheld) else Withheld(sha256=sha256(text.encode()))


def holds_text(sample: Sample) -> bool:
    """Whether prompt or an option is there as text."""
    return isinstance(sample.prompt, str) or any(isinstance(text, str) for text in sample.options)


def holds_digests(sample: Sample) -> bool:
    """Whether prompt or an option is there as a digest."""
    return isinstance(sample.prompt, Withheld) or any(isinstance(text, Withheld) for text in sample.options)
