"""One item of a task with what every model answered: a line of a samples file."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from ftbench.result.option_documents import NonNegative
from ftbench.spec.model import Sha256
from ftbench.spec.primitives import Block


class Answer(Block):
    """What one model answered to one item. What the task's scorings do not ask for is null."""

    loglikelihoods: Annotated[list[float], Field(max_length=1024)] | None = None
    """Log-likelihood of each option given the prompt, in nats, in the order of the task's options."""
    text: str | None = None
    """What the model wrote, cut at the first stop string: whatever is extracted from it can be extracted again."""
    passed: bool | None = None
    """Code tasks: whether the program made of `text` passed its tests in the sandbox."""
    status: Annotated[str, Field(max_length=40)] | None = None
    """Code tasks: how the program ended, in the sandbox's words (`passed`, `failed`, `not-plain`, `timeout` …)."""


class Withheld(Block):
    """Stands for a text whose data may not be passed on: who has the data makes the text again."""

    sha256: Sha256
    """Of the text in UTF-8."""


class Sample(Block):
    """One line of `samples/<task>.jsonl.gz`: RFC 8785 bytes, in the order of the items."""

    index: NonNegative
    """Position of the item in the task's data, counted from 0."""
    item: Sha256
    """Digest of the item's canonical row."""
    prompt: str | Withheld
    """The prompt as given to the model; its digest where the task's source says `redistribute: no`."""
    options: list[str | Withheld]
    """The options as given to the model, or their digests; empty for code tasks."""
    target: NonNegative | None
    """Index of the right option; null for code tasks."""
    untuned: Answer
    """Before tuning."""
    tuned: Answer
    """With the adapter of the round that is scored."""
    references: dict[str, Answer] = {}
    """`centralised`, `fault-free`, `local-0` … → the answer of that reference."""

    def answer(self, model: str) -> Answer | None:
        """That of `untuned`, `tuned` or a reference; None where there is no such reference."""
        if model in self.references:
            return self.references[model]
        return self.tuned if model == "tuned" else self.untuned if model == "untuned" else None
