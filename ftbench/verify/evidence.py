"""Evidence of a spot-run: what was drawn, what was done again and what came out. Whoever made it, it is checked.

It is made above verification (`ftbench.replay`), where there is PyTorch; judging it needs none.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError

from ftbench import codes
from ftbench.diagnostics import Diagnostic, Place
from ftbench.errors import InvalidInput
from ftbench.result.documents import Answer
from ftbench.spec.model import Sha256
from ftbench.spec.primitives import Block

MAX_BYTES = 2**26


class Machine(Block):
    """Where it was done again."""

    device: Annotated[str, Field(pattern="^[a-z]+$")]
    """`cpu` or `cuda`."""
    threads: Annotated[int, Field(ge=1)]
    """Of PyTorch."""
    packages: dict[str, str]
    """Distribution → version, for the plan's stack."""


class ItemAgain(Block):
    """One item asked again."""

    task: str
    """Its task."""
    index: Annotated[int, Field(ge=0)]
    """Position in the task's data."""
    item: Sha256
    """Digest of its row."""
    untuned: Answer
    """The base model's answer."""
    tuned: Answer
    """With the bundle's adapter."""
    untuned_steps: list[tuple[int, float]] | None = None
    """Of the text: for each token the characters before it, and by how many nats it was the likeliest."""
    tuned_steps: list[tuple[int, float]] | None = None
    """Likewise."""


class ClientAgain(Block):
    """One client's round trained again."""

    round: Annotated[int, Field(ge=1)]
    """The round."""
    partition: Annotated[int, Field(ge=0)]
    """The client."""
    update: Sha256 | None = None
    """Digest of the update that came out; null: it was not done, see `reason`."""
    loss: float | None = None
    """Its mean loss."""
    state: str = ""
    """Digest of what the client keeps; empty: nothing."""
    distance: float | None = None
    """‖again − kept‖ / ‖kept − before‖ over the update's tensors; 0: the same digest; null: not known."""
    reason: str | None = None
    """Why it was not done."""


class AggregationAgain(Block):
    """One round's replies aggregated again."""

    round: Annotated[int, Field(ge=1)]
    """The round."""
    adapter: Sha256 | None = None
    """Digest of the adapter that came out; null: it was not done, see `reason`."""
    state: str = ""
    """Digest of the server's state; empty: none."""
    reason: str | None = None
    """Why it was not done."""


class ValidationAgain(Block):
    """One round's adapter asked for its validation loss again."""

    round: Annotated[int, Field(ge=1)]
    """The round."""
    loss: float | None = None
    """Nats; null: it was not done, see `reason`."""
    reason: str | None = None
    """Why it was not done."""


class Evidence(Block):
    """What a spot-run did and found."""

    format: Literal["ftbench/spot/v1"] = "ftbench/spot/v1"
    """Format of this document."""
    bundle: Sha256
    """sha256 of the bundle's manifest.json."""
    nonce: Annotated[str, Field(pattern="^([0-9a-f]{2}){8,64}$")]
    """The verifier's own, hexadecimal; never used twice."""
    machine: Machine
    """Where."""
    keep_every: Annotated[int, Field(ge=0)] = 0
    """What the run's archive says it kept: every so manieth round, from the first on; 0: none, or no archive."""
    items: list[ItemAgain]
    """By task, then index."""
    clients: list[ClientAgain]
    """In the order of the draw."""
    aggregations: list[AggregationAgain]
    """In the order of the draw."""
    validations: list[ValidationAgain] = []
    """By round; none where the spec has no validation cut."""


def read(path: Path) -> Evidence:
    """The document at `path`. Raises InvalidInput (FTB853)."""
    try:
        data = path.read_bytes() if path.stat().st_size <= MAX_BYTES else b""
    except OSError as error:
        message = f"it cannot be read: {error.strerror}"
        raise InvalidInput(Diagnostic(codes.EVIDENCE_OTHER, message, Place(str(path)))) from error
    try:
        return Evidence.model_validate_json(data)
    except ValidationError as error:
        first = error.errors()[0]
        message = f"it is no evidence of a spot-run: {'.'.join(map(str, first['loc']))}: {first['msg']}"
        raise InvalidInput(Diagnostic(codes.EVIDENCE_OTHER, message, Place(str(path)))) from error
