"""The verifier's own copy of what plan and seed imply. Written apart from the app on purpose: two hands, one rule."""

from __future__ import annotations

import math

SAMPLING = 0x53414D50
"""Third word of the seed of client choice."""
FLOAT32 = 4
"""Bytes of one adapter parameter as sent."""
MIB = 2**20


def sample_size(clients: int, fraction: float) -> int:
    """How many clients are asked in a round."""
    return max(1, math.floor(fraction * clients + 0.5))


def chosen_clients(seed: int, number: int, clients: int, fraction: float) -> list[int]:
    """Partition ids asked in round `number`, ascending."""
    import numpy as np

    drawn = np.random.default_rng([seed, number, SAMPLING]).choice(
        clients, size=sample_size(clients, fraction), replace=False
    )
    return sorted(int(client) for client in drawn)


def same(told: float, due: float) -> bool:
    """Whether two numbers are equal but for the last digits, in which mathematical libraries differ."""
    return math.isclose(told, due, rel_tol=1e-12, abs_tol=1e-15)
