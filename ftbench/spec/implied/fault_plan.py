"""Whom a spec's faults strike in a round: what follows from spec and seed alone, for checks and the verifier.

Written apart from the app on purpose: two hands, one rule. Every draw is one vector over all clients, from
`numpy.random.default_rng([seed, round, purpose])`; rounds count from 1, and 0 stands for the run as a whole.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from ftbench.spec.faults import Faults

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

DROPOUT, COMPUTING, NETWORK, SPEED, CORRUPT, BYZANTINE, DAMAGE = (
    int.from_bytes(word, "big") for word in (b"DROP", b"COMP", b"NETW", b"SPED", b"CORR", b"BYZA", b"DAMG")
)
"""Third words of the seed sequences."""
SAMPLING = int.from_bytes(b"SAMP", "big")
"""The same of the clients asked."""
MIB = 2**20
RUN = 0
"""In place of a round's number: what is drawn once for a run."""
CHUNK = 4096
"""Values of a damaged update that are drawn at once: most hold one that is not finite among the first few hundred."""

Reason = Literal["dropped-out", "late"]


@dataclass(frozen=True)
class Case:
    """A run as far as its faults go."""

    faults: Faults | None
    seed: int
    clients: int
    steps: int
    """Optimiser steps of a client in a round."""


@dataclass(frozen=True)
class Strike:
    """What the faults do to one round."""

    missing: dict[int, Reason] = field(default_factory=dict)
    """Clients that do not reply in time, and why."""
    damaged: frozenset[int] = frozenset()
    """Of the others, those whose reply arrives damaged."""
    simulated_seconds: float | None = None
    """How long the round takes: the slowest reply, or the deadline where one does not come. None: no simulated time."""


def strike(case: Case, number: int, moved: Mapping[int, int]) -> Strike:
    """Whom the faults strike in round `number`.

    `moved`: partition id of each client asked → bytes that it is sent and would send.
    """
    faults, seed, clients = case.faults, case.seed, case.clients
    if faults is None:
        return Strike()
    sent_to = sorted(moved)
    missing: dict[int, Reason] = {}
    times: dict[int, float] = {}
    if faults.dropout is not None:
        drawn = _uniform(seed, number, DROPOUT, clients)
        missing |= {client: "dropped-out" for client in sent_to if drawn[client] < faults.dropout.probability}
    if faults.stragglers is not None:
        times = durations(case, number, moved)
        deadline = faults.stragglers.deadline_seconds
        missing |= {c: "late" for c in sent_to if c not in missing and times[c] > deadline}
    damaged: frozenset[int] = frozenset()
    if faults.corrupt is not None:
        drawn = _uniform(seed, number, CORRUPT, clients)
        struck = (client for client in sent_to if drawn[client] < faults.corrupt.probability)
        damaged = frozenset(client for client in struck if client not in missing)
    return Strike(missing, damaged, _seconds(faults, times, missing))


def _seconds(faults: Faults, times: Mapping[int, float], missing: Mapping[int, Reason]) -> float | None:
    if faults.stragglers is None:
        return None
    return faults.stragglers.deadline_seconds if missing else max(times.values())


def durations(case: Case, number: int, moved: Mapping[int, int]) -> dict[int, float]:
    """Simulated seconds of the round of each client in `moved`; empty where the spec has no stragglers."""
    block = case.faults.stragglers if case.faults else None
    if block is None:
        return {}
    computing, network, speed = (
        _normal(case.seed, when, purpose, case.clients)
        for when, purpose in ((RUN, COMPUTING), (RUN, NETWORK), (number, SPEED))
    )
    found = {}
    for client, size in moved.items():
        by_round = math.exp(block.round_spread * float(speed[client]))
        slow_steps = math.exp(block.client_spread * float(computing[client])) * by_round
        slow_bytes = math.exp(block.client_spread * float(network[client])) * by_round
        found[client] = (
            case.steps * block.seconds_per_step * slow_steps + size / (MIB * block.mib_per_second) * slow_bytes
        )
    return found


def attackers(case: Case) -> list[int]:
    """Partition ids of the Byzantine clients of a run, ascending."""
    faults = case.faults
    if faults is None or faults.byzantine is None:
        return []
    chosen = _generator(case.seed, RUN, BYZANTINE).choice(case.clients, size=faults.byzantine.clients, replace=False)
    return sorted(int(client) for client in chosen)


def damage_shows(case: Case, number: int, partition: int, elements: int) -> bool:
    """Whether a damaged reply of so many numbers is not finite."""
    import numpy as np

    block = case.faults.corrupt if case.faults else None
    if block is None or block.damage == "nan":
        return block is not None
    drawn = np.random.default_rng([case.seed, number, DAMAGE, partition])
    left = elements
    while left > 0:
        some = min(left, CHUNK)
        if not np.isfinite(np.frombuffer(drawn.bytes(4 * some), dtype="<f4")).all():
            return True
        left -= some
    return False


def _generator(seed: int, number: int, purpose: int) -> np.random.Generator:
    import numpy as np

    return np.random.default_rng([seed, number, purpose])


def _uniform(seed: int, number: int, purpose: int, clients: int) -> NDArray[np.float64]:
    return _generator(seed, number, purpose).random(clients)


def _normal(seed: int, number: int, purpose: int, clients: int) -> NDArray[np.float64]:
    return _generator(seed, number, purpose).standard_normal(clients)


def sampled_clients(seed: int, number: int, clients: int, count: int) -> list[int]:
    """Partition ids of the `count` clients asked in round `number`, ascending."""
    drawn = _generator(seed, number, SAMPLING).choice(clients, size=count, replace=False)
    return sorted(int(client) for client in drawn)
