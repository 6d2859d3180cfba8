"""What a result says of canaries."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from ftbench.spec.primitives import Block


class Exposed(Block):
    """How exposed the canaries are by one model."""

    mean: Annotated[float, Field(ge=0, le=10)]
    """Bits, over all canaries: log2 candidates − log2 rank of the planted secret."""
    most: Annotated[float, Field(ge=0, le=10)]
    """Of the canary that is exposed most."""


class Exposure(Block):
    """What the spec's `evaluation.canaries` tell, unranked."""

    canaries: Annotated[int, Field(ge=1)]
    """Rows that were planted, not counting how often each was."""
    candidates: Annotated[int, Field(ge=2)]
    """Secrets that one canary's was compared with, itself among them, without those of other canaries."""
    untuned: Exposed
    """By the base model, which never saw them: about 1.4 bits is chance."""
    tuned: Exposed
    """After training."""
