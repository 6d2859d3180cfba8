"""`kind: iid`."""

from __future__ import annotations

from ftbench.data.partitions.base import Given, Shares
from ftbench.spec.partitions import IidPartition


def deal(given: Given, block: IidPartition) -> Shares:
    """A seeded permutation cut into contiguous shares; where they can't be equal, the first ones hold one row more."""
    import numpy

    order = numpy.random.default_rng(given.seed).permutation(given.rows)
    return [share.tolist() for share in numpy.array_split(order, given.clients)]
