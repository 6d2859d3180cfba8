"""What a model will read and learn: rows and items as token ids, made by the very code that trains and scores.

It is asked in a process of its own (`ftbench.run.preview_worker`), which loads the tokenizer and no weights.
"""

from __future__ import annotations

import subprocess
import sys
from typing import Any, Literal

from pydantic import ValidationError

from ftbench import codes
from ftbench.diagnostics import Diagnostic
from ftbench.errors import InvalidInput, MissingResource, RunFailed
from ftbench.run.evaluation.trial import Told, environment
from ftbench.spec.primitives import Block


class Wanted(Block):
    """Some rows of one source."""

    key: str
    """`train` or `task:NAME`."""
    numbers: list[int]
    """Which rows of the source they are, from 0."""
    rows: list[dict[str, Any]]


class Job(Block):
    """What is asked."""

    model: str
    """Folder of the base model, whose weights are not read."""
    name: str
    spec: dict[str, Any]
    """The spec with its defaults, without what is null."""
    wanted: list[Wanted]


class Piece(Block):
    """Neighbouring tokens of one sort."""

    text: str
    """As the tokenizer writes them, special tokens among them."""
    tokens: int
    learnt: bool
    """Training: whether the loss counts them. A task: whether they are the option that is scored."""


class Shown(Block):
    """One example, or one item with one of its options."""

    key: str
    row: int
    option: int | None = None
    """Of a task: which option; null for an item whose answer is written by the model."""
    right: bool | None = None
    """Whether that option is the right one."""
    pieces: list[Piece] = []
    left_out: str | None = None
    """Why training leaves the row out."""

    @property
    def tokens(self) -> int:
        """All tokens."""
        return sum(piece.tokens for piece in self.pieces)


class Preview(Block):
    """`ftbench preview`."""

    format: Literal["ftbench/output/preview/v1"] = "ftbench/output/preview/v1"
    """Format of this document."""
    model: str = ""
    """Whose tokenizer it was."""
    sequence_length: int = 0
    """Most tokens of a training example."""
    shown: list[Shown] = []
    problems: list[Told] = []
    """What stood in the way."""


def look(job: Job) -> Preview:
    """Ask the process.

    Raises InvalidInput for a model or row that does not fit, MissingResource (FTB562), RunFailed (FTB560).
    """
    done = subprocess.run(
        [sys.executable, "-P", "-m", "ftbench.run.preview_worker"],
        input=job.model_dump_json().encode(),
        capture_output=True,
        env=environment(""),
        check=False,
    )
    try:
        found = Preview.model_validate_json(done.stdout)
    except ValidationError:
        tail = done.stderr.decode(errors="replace").strip().split("\n")[-1][:300]
        message = f"the process that reads the tokenizer ended with {done.returncode}: {tail}"
        raise RunFailed(Diagnostic(codes.WORKER_FAILED, message)) from None
    if found.problems:
        told = [Diagnostic(one.code, one.message, hint=one.hint) for one in found.problems]
        raise (MissingResource if told[0].code == codes.PACKAGE_MISSING else InvalidInput)(told)
    return found


def spread(count: int, wanted: int) -> list[int]:
    """Row numbers spread evenly over `count` rows, the first among them."""
    take = min(count, wanted)
    return [index * count // take for index in range(take)]
