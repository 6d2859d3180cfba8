"""Differential privacy of whole clients: who adds the noise, how changes are clipped, and how much may be spent."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from ftbench.spec.primitives import Block, PositiveFloat

OS_NOISE = "FTBENCH_OS_NOISE"
"""Environment variable that the app reads (`app/privacy/noise.py`): `1` takes noise from the operating system."""


class Privacy(Block):
    """Client-level (epsilon, delta) differential privacy: two federations that differ in one client's data.

    The change that a client sends, all tensors as one vector, is clipped to an L2 norm of `clip`. A parameter that the
    kind of clipping does not use must be null or left out.
    """

    kind: Literal["central", "local"]
    """`central`: the server takes the uniform mean of the clipped changes over the clients asked, a missing client
    counting as no change, and adds noise to it, before its optimiser. `local`: each client adds noise to its own."""
    epsilon: Annotated[float, Field(gt=0, le=1e15)]
    """Most that a run may spend. A round that would exceed it does not start."""
    delta: Annotated[float, Field(gt=0, lt=1)]
    """Probability with which the promise may fail; below 1 / clients."""
    noise_multiplier: Annotated[float, Field(ge=1e-6, le=1e6)]
    """Standard deviation of the noise in clips; central noise is on the sum of the clipped changes."""
    clipping: Literal["fixed", "adaptive"]
    """`fixed`: to `clip` in every round. `adaptive`: the clip follows a quantile of the norms (arXiv 1905.03871)."""
    clip: Annotated[float, Field(ge=1e-9, le=1e9)]
    """Largest L2 norm of a client's change; with adaptive clipping that of the first round."""
    quantile: Annotated[float, Field(gt=0, lt=1)] | None = None
    """Adaptive: share of clients whose change is to be within the clip."""
    clip_learning_rate: PositiveFloat | None = None
    """Adaptive: clip ← clip · exp(−clip_learning_rate · (noised share within the clip − quantile))."""
    count_noise_multiplier: PositiveFloat | None = None
    """Adaptive: standard deviation, in clients, of the noise on the number of changes within the clip; above
    noise_multiplier / 2. The noise on the changes grows, so that both together cost what `noise_multiplier` says."""
