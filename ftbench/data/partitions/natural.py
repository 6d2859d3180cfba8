"""`kind: natural`: rows of one user, source or other group stay together."""

from __future__ import annotations

from ftbench.data.partitions.base import Given, Shares, refuse
from ftbench.spec.partitions import NaturalPartition

STREAM = 0x4E415455
"""Second word of the seed ("NATU")."""


def deal(given: Given, block: NaturalPartition) -> Shares:
    """Whole groups, one a client or dealt in turn, rows ascending. Raises InvalidInput (FTB309)."""
    groups = list(given.by_label().values())
    if block.deal == "one-each":
        if len(groups) != given.clients:
            message = f"`{block.group}` has {len(groups)} values in the training rows, and there are {given.clients}"
            hint = f"set federation.clients to {len(groups)}, or `deal: in-turn` where there are more groups"
            raise refuse(f"{message} clients", hint)
        return groups
    if len(groups) < given.clients:
        message = f"`{block.group}` has {len(groups)} values in the training rows, too few for {given.clients} clients"
        raise refuse(message, f"lower federation.clients to {len(groups)} at most")
    shares: Shares = [[] for _ in range(given.clients)]
    for place, number in enumerate(given.random(STREAM).permutation(len(groups)).tolist()):
        shares[place % given.clients] += groups[number]
    return [sorted(share) for share in shares]
