"""What `ftbench privacy` prints with `--json`."""

from __future__ import annotations

from typing import Literal

from ftbench.spec.primitives import Block
from ftbench.spec.privacy import Privacy


class SpentAfter(Block):
    """What has been spent after a round."""

    round: int
    """Counted from 1."""
    epsilon: float
    """At the spec's delta; with local privacy that of the client asked most often so far."""


class PrivacyOutput(Block):
    """`ftbench privacy`."""

    format: Literal["ftbench/output/privacy/v1"] = "ftbench/output/privacy/v1"
    """Format of this document."""
    spec: str
    """The argument, as given."""
    privacy: Privacy
    """What is promised."""
    clients: int
    """Clients of the federation."""
    asked: int
    """Clients that train in a round."""
    seed: int
    """Seed of the client choice."""
    rounds: list[SpentAfter]
    """Every round of the run."""
    spent: float
    """Epsilon after the last round."""
    known_choice: float
    """Epsilon after the last round against someone who knows which clients were asked, as a ledger's reader does."""
    just_fitting: float
    """The least noise multiplier with which all rounds fit the budget, rounded up to four digits."""
