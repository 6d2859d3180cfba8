"""`kind: sites`: each site is a client and holds its own rows. Nothing is dealt."""

from __future__ import annotations

from collections.abc import Sequence

from ftbench.data.partitions.base import Given, Shares, cut, refuse
from ftbench.spec.partitions import SitesPartition


def deal(given: Given, block: SitesPartition) -> Shares:
    """Always raises InvalidInput (FTB309): who holds what, the sites' own locks say."""
    del given, block
    raise refuse("rows of `kind: sites` are at their sites", "lock the spec with what the sites handed out")


def shares(sizes: Sequence[int]) -> Shares:
    """Rows counted through from the first site to the last, so that a partition of so many rows has a name."""
    return cut(range(sum(sizes)), sizes)
