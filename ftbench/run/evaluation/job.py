"""What the evaluation worker is asked and what it answers: plain JSON between two processes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field

from ftbench.result.documents import Answer
from ftbench.spec.canonical import canonical
from ftbench.spec.model import Model, Sha256
from ftbench.spec.primitives import Block

UNTUNED, TUNED = "untuned", "tuned"
"""The two phases of every run; a reference's phase has its name."""


class Phase(Block):
    """One model to score."""

    name: Annotated[str, Field(pattern=r"^[a-z]+(-[a-z0-9.]+)*$")]
    adapter: str | None
    """Folder of the adapter to attach; null: the base model alone."""


class Job(Block):
    """One start of the worker. Paths are absolute."""

    compiled: str
    """Folder of the compiled benchmark."""
    stores: list[str]
    """Roots of the store, for the tasks' items."""
    model: str
    """Folder of the base model, its digest already checked."""
    model_digest: Sha256
    held: Model | None = None
    """The spec's `model` with the entry's knobs in force; null: the spec's own."""
    phases: list[Phase]
    limit: Annotated[int, Field(ge=1)] | None = None
    """Only the first items of each task."""
    items: dict[str, list[int]] | None = None
    """Task → the only items that are asked, at least one each; with `limit` null."""
    steps: bool = False
    """Whether answers tell how sure the model was of each token that it wrote."""
    batch_size: Annotated[int, Field(ge=1)] | None = None
    """Prompts in one forward pass; null: as many as are safe."""
    threads: Annotated[int, Field(ge=1)] = 1
    processes: Annotated[int, Field(ge=1)] = 1
    """On a CPU with one thread: how many compute at once. They move no bit."""
    cache: str
    """File of answers already given."""
    also: list[str] = []
    """Further files of answers, which are only read."""
    share: Annotated[int, Field(ge=0)] = 0
    shares: Annotated[int, Field(ge=1)] = 1
    """With several: only every `shares`-th batch is computed, from number `share` on, and no answers are written."""
    answers: str
    """Folder for `<phase>.jsonl`."""


class AskedItem(Block):
    """One item as the harness asked it, with the model's answer: a line of `<phase>.jsonl`."""

    task: str
    index: int
    item: Sha256
    prompt: str
    options: list[str]
    target: int | None
    answer: Answer
    steps: list[tuple[int, float]] | None = None
    """Of its text, where they are asked for: see `steps.Steps`."""


def write_answers(path: Path, answers: list[AskedItem]) -> None:
    """The answers of one phase, a line each."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join(canonical(a.model_dump(mode="json")) + b"\n" for a in answers))


def read_answers(path: Path) -> list[AskedItem]:
    """What `write_answers` wrote."""
    return [AskedItem.model_validate_json(line) for line in path.read_bytes().split(b"\n") if line]
