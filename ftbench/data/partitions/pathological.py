"""`kind: pathological`: each client has rows of exactly so many labels (arXiv 2102.02079, #C = k)."""

from __future__ import annotations

from ftbench.data.partitions.base import Given, Shares, cut, even, refuse
from ftbench.spec.partitions import PathologicalPartition

STREAM = 0x50415448
"""Second word of the seed ("PATH")."""


def deal(given: Given, block: PathologicalPartition) -> Shares:
    """Labels in a seeded order are dealt round and round; those who have one get equal shares of its rows.

    Raises InvalidInput (FTB309) where there are too few labels, too few places for them, or too few rows of one.
    """
    random = given.random(STREAM)
    by_label = given.by_label(random)
    names, places = list(by_label), given.clients * block.classes
    if len(names) < block.classes:
        message = f"`{block.label}` has {len(names)} values in the training rows; no client can have {block.classes}"
        raise refuse(message, "lower federation.partition.classes")
    if places < len(names):
        message = f"{given.clients} clients with {block.classes} labels each leave out some of the {len(names)} labels"
        raise refuse(message, "raise federation.partition.classes or federation.clients: every row goes to someone")
    order = [names[number] for number in random.permutation(len(names)).tolist()]
    owners: dict[str, list[int]] = {name: [] for name in names}
    for place in range(places):
        owners[order[place % len(order)]].append(place // block.classes)
    shares: Shares = [[] for _ in range(given.clients)]
    for name, rows in by_label.items():
        if len(rows) < len(owners[name]):
            message = f"the label {name} has {len(rows)} rows for {len(owners[name])} clients"
            raise refuse(message, "lower federation.partition.classes or federation.clients")
        for owner, piece in zip(owners[name], cut(rows, even(len(rows), len(owners[name]))), strict=True):
            shares[owner] += piece
    return [sorted(share) for share in shares]
