"""Clients, replies and budgets that can hold together."""

from __future__ import annotations

import math
from collections.abc import Iterator

from ftbench import codes
from ftbench.spec.knobs import extremes
from ftbench.spec.model import Spec
from ftbench.spec.problems import Problem
from ftbench.spec.strategies import STRATEGIES
from ftbench.spec.transport import DIRECTIONS, WIDTH
from ftbench.spec.words import number

MIB = 2**20


def sampled(clients: int, fraction: float) -> int:
    """Clients that train in a round (see `Sampling.fraction`)."""
    return max(1, math.floor(fraction * clients + 0.5))


def replies(spec: Spec) -> Iterator[Problem]:
    """A round can bring as many replies as it needs, also at the least fraction that a knob allows."""
    federation = spec.federation
    asked = sampled(federation.clients, federation.sampling.fraction)
    if federation.min_replies > asked:
        message = (
            f"`federation.min_replies` is {federation.min_replies}, but a round asks {asked} of {federation.clients}"
        )
        yield Problem(
            codes.CONTRADICTION, ("federation", "min_replies"), f"{message} clients", "ask more, or need fewer"
        )
        return
    name = "federation.sampling.fraction"
    fractions = [value for value in extremes(spec.knobs.get(name)) if 0 < value <= 1]
    few = [value for value in fractions if sampled(federation.clients, value) < federation.min_replies]
    if few:
        asked = sampled(federation.clients, min(few))
        message = f"the knob `{name}` allows {number(min(few))}, which asks {asked} of {federation.clients} clients; "
        message += f"`federation.min_replies` is {federation.min_replies}"
        yield Problem(codes.CONTRADICTION, ("knobs", name), message, "raise the least fraction, or need fewer replies")
    if len(fractions) > 1 and len({sampled(federation.clients, value) for value in fractions}) == 1:
        message = f"every value of the knob `{name}` asks the same number of clients"
        yield Problem(codes.NO_EFFECT, ("knobs", name), message, "widen it or leave the knob out")


def budget(spec: Spec) -> Iterator[Problem]:
    """The budget allows one round of the smallest adapter of this rank: one module with one input and one output."""
    least = (2 - len(STRATEGIES[spec.strategy.kind].frozen)) * min(spec.adapter.client_ranks or [spec.adapter.rank])
    if spec.budget.trainable_parameters < least:
        message = f"an adapter of rank {spec.adapter.rank} has at least {least} parameters, "
        message += f"and the budget allows {spec.budget.trainable_parameters}"
        yield Problem(codes.CONTRADICTION, ("budget", "trainable_parameters"), message)
    asked = sampled(spec.federation.clients, spec.federation.sampling.fraction)
    traffic = asked * least * sum(WIDTH[getattr(spec.transport, direction)] for direction in DIRECTIONS)
    if spec.budget.communication_mib * MIB < traffic:
        message = f"one round of {asked} clients with an adapter of rank {spec.adapter.rank} moves at least "
        message += f"{traffic} bytes, and the budget allows {math.floor(spec.budget.communication_mib * MIB)}"
        yield Problem(codes.CONTRADICTION, ("budget", "communication_mib"), message)
