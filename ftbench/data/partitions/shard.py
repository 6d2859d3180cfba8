"""`kind: shard`: rows sorted by label, cut into shards, some for each client (arXiv 1602.05629, section 3)."""

from __future__ import annotations

from ftbench.data.partitions.base import Given, Shares, cut, even, refuse
from ftbench.spec.partitions import ShardPartition

STREAM = 0x53485244
"""Second word of the seed ("SHRD")."""


def deal(given: Given, block: ShardPartition) -> Shares:
    """Clients × shards contiguous pieces of the sorted rows, dealt at random. Raises InvalidInput (FTB309)."""
    random = given.random(STREAM)
    pieces = given.clients * block.shards
    if given.rows < pieces:
        message = f"{given.rows} training rows cannot be cut into {given.clients} × {block.shards} shards"
        raise refuse(message, "lower federation.partition.shards or federation.clients")
    rows = [number for group in given.by_label(random).values() for number in group]
    shards = cut(rows, even(len(rows), pieces))
    order = random.permutation(pieces).tolist()
    dealt = cut(order, [block.shards] * given.clients)
    return [sorted(number for shard in held for number in shards[shard]) for held in dealt]
