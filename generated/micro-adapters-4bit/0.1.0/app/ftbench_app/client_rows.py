"""Whose rows a client trains on: its partition, or as a virtual client the pool of all partitions or a single one.

A reference run with a virtual client has no other. It has partition id 0 and takes as many rounds and local steps as
the benchmark, and what comes back is the next adapter.
"""

from __future__ import annotations

from collections.abc import Sequence

from .settings import CENTRALISED, LOCAL, Settings


def sizes(settings: Settings) -> list[int]:
    """Rows by partition id of this run."""
    held = [int(size) for size in settings.pins["partition"]["sizes"]]
    if settings.reference == CENTRALISED:
        return [sum(held)]
    if settings.reference == LOCAL:
        return [held[settings.reference_client]]
    return held


def numbers(settings: Settings, lists: Sequence[Sequence[int]], partition: int) -> list[int]:
    """Row numbers that the client with that partition id trains on. Pooled rows are in the source's order."""
    if settings.reference == CENTRALISED:
        return sorted(number for rows in lists for number in rows)
    return list(lists[stream(settings, partition)])


def stream(settings: Settings, partition: int) -> int:
    """Which of the run's random streams the client draws from.

    A client alone sees its rows in the order in which it would see them in the federation; the pool has a stream of its
    own, after the last client's.
    """
    if settings.reference == CENTRALISED:
        return len(settings.pins["partition"]["sizes"])
    return settings.reference_client if settings.reference == LOCAL else partition
