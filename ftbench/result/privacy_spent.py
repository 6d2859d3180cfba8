"""What differential privacy cost a run, as its ledger and its result say it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from ftbench.spec.primitives import Block


class PrivacySpent(Block):
    """What clients were promised, and what the run spent of it; noise of the seed keeps it where nobody knows that."""

    kind: Literal["central", "local"]
    """Who added the noise: the server, or each client."""
    epsilon: Annotated[float, Field(ge=0)]
    """Epsilon spent by all rounds, for neighbours that differ in one client's data."""
    delta: Annotated[float, Field(gt=0, lt=1)]
    """Probability with which the promise may fail."""
    limit: Annotated[float, Field(gt=0)]
    """Most that the spec allows to be spent."""
    noise_multiplier: Annotated[float, Field(gt=0)]
    """Standard deviation of the noise, in clips."""
    clipping: Literal["fixed", "adaptive"]
    """How changes were clipped."""
    noise: Literal["seed", "operating-system"] = "seed"
    """Where it came from: from the run's `seed`, so that it comes out again and protects nobody who knows that; or from
    the `operating-system`, so that nobody can draw it again."""


class Released(Block):
    """What a round with differential privacy cost, and what it was clipped to."""

    epsilon: Annotated[float, Field(ge=0)]
    """Epsilon of all rounds up to this one together, at the spec's delta."""
    clip: Annotated[float, Field(gt=0)]
    """Largest L2 norm of a client's change in this round."""
