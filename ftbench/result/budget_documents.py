"""What a target cost and what a run had within a budget, as its result says it."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from ftbench.result.option_documents import NonNegative
from ftbench.spec.primitives import Block, Sha256


class TargetCost(Block):
    """What it cost to reach the spec's target. Round and bytes follow from the ledger; seconds are reported only."""

    validation_loss: Annotated[float, Field(gt=0)]
    """The target."""
    round: NonNegative | None = None
    """The first round whose validation loss is the target or less; null: not reached."""
    bytes: NonNegative | None = None
    """Adapter bytes of both directions up to and with that round; null: not reached."""
    simulated_seconds: Annotated[float, Field(ge=0)] | None = None
    """Simulated time up to then, from the ledger; null where the spec simulates none, or not reached."""
    seconds: Annotated[float, Field(ge=0)] | None = None
    """Wall time of the rounds up to then as measured, repeated ones counted again; null: not known, or not reached."""


class WithinBudget(Block):
    """The adapter that a run had within a budget. Its score stands among those of references."""

    communication_mib: Annotated[float, Field(gt=0)]
    """The budget."""
    round: NonNegative
    """The last round up to which no more was sent; 0: not even the first fits, and the score is the untuned model's."""
    bytes: NonNegative
    """Adapter bytes of both directions up to and with that round."""
    adapter: Sha256
    """Digest of the adapter after it."""
