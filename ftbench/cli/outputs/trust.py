"""What the commands of signing, claims and submission print with `--json`."""

from __future__ import annotations

from typing import Literal

from ftbench.result.documents import Score
from ftbench.result.signed import Signed
from ftbench.spec.primitives import Block


class SignOutput(Block):
    """`ftbench sign`."""

    format: Literal["ftbench/output/sign/v1"] = "ftbench/output/sign/v1"
    """Format of this document."""
    file: str
    """What is signed."""
    signature: str
    """Where its signature lies."""
    namespace: str
    """What it is signed for; `ssh-keygen -Y verify -n` takes it."""
    signed: Signed
    """The key, and with `--signers` whose it is."""


class ScoreOutput(Block):
    """`ftbench score`."""

    format: Literal["ftbench/output/score/v1"] = "ftbench/output/score/v1"
    """Format of this document."""
    file: str
    """The file of answers."""
    kind: Literal["bundle", "lm-eval", "flowertune", "plain"]
    """In whose form they are."""
    task: str
    """The test set."""
    models: dict[str, dict[str, Score]]
    """Model → scoring → score; a file that names no model has one called `recorded`."""
    not_told: list[str]
    """What such a file does not tell, in sentences."""
