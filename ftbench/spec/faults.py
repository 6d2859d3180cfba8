"""What goes wrong on purpose: clients that drop out, come late, send damaged updates or attack.

Everything is drawn from the run's seed, so that the same run fails in the same way again and a verifier can tell.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from ftbench.spec.primitives import Block, PositiveFloat


class Dropout(Block):
    """Clients that are sent the adapter and never reply."""

    probability: Annotated[float, Field(gt=0, lt=1)]
    """Chance of each client in each round, independent of all others."""


class Stragglers(Block):
    """Clients of different speed, in simulated time: nobody waits, and the same clients are late again.

    A client's round takes steps · s + bytes / b seconds; bytes are what it is sent and what it would send. s and b are
    `seconds_per_step` and `mib_per_second`, s multiplied and b divided by log-normal factors with median 1: one for
    computing and one for the network, drawn once for a client, and one for both that is drawn for it in each round.
    """

    seconds_per_step: PositiveFloat
    """Simulated seconds of one optimiser step of the median client."""
    mib_per_second: PositiveFloat
    """MiB (2^20 bytes) a second that the median client receives and sends."""
    client_spread: Annotated[float, Field(ge=0, le=5)]
    """Standard deviation of the natural logarithm of the factors drawn for a client; 0: all are equally fast."""
    round_spread: Annotated[float, Field(ge=0, le=5)] = 0.0
    """The same of the factor drawn for a client in each round; 0: a client is always equally fast."""
    deadline_seconds: PositiveFloat
    """Whose round takes longer is left out of it."""


class Corrupt(Block):
    """Updates that arrive damaged; the client itself trained as it should."""

    probability: Annotated[float, Field(gt=0, lt=1)]
    """Chance of each reply in each round, independent of all others."""
    damage: Literal["nan", "random-bits"]
    """`nan`: one value of each array is not a number. `random-bits`: every bit is drawn anew, so that nearly always
    some value is not a finite number. A reply that is not finite is left out; one that by chance is so is taken."""


class Byzantine(Block):
    """Clients that attack. Who they are is drawn once for a run; the server does not know."""

    clients: Annotated[int, Field(ge=1, le=100_000)]
    """How many of all clients."""
    attack: Literal["sign-flip", "scale", "noise"]
    """With w₀ what the client received (0 under names that it did not) and w its own result, it sends for each array:
    `sign-flip`: w₀ − strength · (w − w₀). `scale`: w₀ + strength · (w − w₀). `noise`: w + strength · r · z, where r is
    the root mean square of w − w₀ in that array and z is standard normal."""
    strength: PositiveFloat
    """How strong the attack is; 1 turns an update round, or adds noise as large as the update."""


class Faults(Block):
    """What goes wrong on purpose, drawn from the run's seed; null: that does not happen."""

    dropout: Dropout | None = None
    """Clients that never reply. They count as sent to, and do not train."""
    stragglers: Stragglers | None = None
    """Clients that miss a deadline in simulated time. They count as sent to, and do not train."""
    corrupt: Corrupt | None = None
    """Replies that arrive damaged."""
    byzantine: Byzantine | None = None
    """Clients that attack."""


__all__ = ["Byzantine", "Corrupt", "Dropout", "Faults", "Stragglers"]
