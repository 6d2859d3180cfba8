"""`kind: size-skew`: shuffled rows, sizes rising linearly or exponentially."""

from __future__ import annotations

from ftbench.data.partitions.base import Given, Shares, cut
from ftbench.spec.partitions import SizeSkewPartition

STREAM = 0x53495A45
"""Second word of the seed ("SIZE")."""


def sizes(rows: int, clients: int, block: SizeSkewPartition) -> list[int]:
    """Whole sizes in proportion to 1 + (ratio − 1) · t or ratio^t, t going from 0 to 1 in equal steps.

    Each is rounded down; the rows left over go one by one to the largest remainders, the later client first.
    """
    steps = [client / max(clients - 1, 1) for client in range(clients)]
    linear = block.growth == "linear"
    weights = [1 + (block.ratio - 1) * t if linear else block.ratio**t for t in steps]
    exact = [rows * weight / sum(weights) for weight in weights]
    whole = [int(size) for size in exact]
    by_remainder = sorted(range(clients), key=lambda client: (exact[client] - whole[client], client), reverse=True)
    for client in by_remainder[: rows - sum(whole)]:
        whole[client] += 1
    return whole


def deal(given: Given, block: SizeSkewPartition) -> Shares:
    """A seeded permutation cut into contiguous shares of rising size."""
    order = given.random(STREAM).permutation(given.rows).tolist()
    return cut(order, sizes(given.rows, given.clients, block))
