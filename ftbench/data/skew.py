"""How unlike clients are: what they hold of each label, and how far that is from all rows together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from ftbench.data.partitions.base import Shares


@dataclass(frozen=True, slots=True)
class Skew:
    """Labels of a partition."""

    pooled: dict[str, int]
    """Label → rows of all clients together, the most frequent first, then by label."""
    counts: list[dict[str, int]]
    """For each client label → its rows, in the same order; labels that it lacks are left out."""
    distances: list[float]
    """For each client the total variation distance of its label distribution from the pooled one, 0 to 1."""

    @property
    def heterogeneity(self) -> float:
        """The plain mean of `distances`: 0 where every client has the pooled mix."""
        return sum(self.distances) / len(self.distances)


def skew(shares: Shares, labels: Sequence[str]) -> Skew:
    """Labels of every client; `labels` says of each training row which it has. No share is empty."""
    total = Counter(labels[row] for share in shares for row in share)
    pooled = dict(sorted(total.items(), key=lambda item: (-item[1], item[0])))
    counts = []
    for share in shares:
        held = Counter(labels[row] for row in share)
        counts.append({label: held[label] for label in pooled if label in held})
    return Skew(pooled, counts, [total_variation(held, pooled) for held in counts])


def total_variation(held: dict[str, int], pooled: dict[str, int]) -> float:
    """½ Σ |held / Σ held − pooled / Σ pooled| over the labels: the share of rows that would have to change label."""
    size, whole = sum(held.values()), sum(pooled.values())
    return sum(abs(held.get(label, 0) / size - count / whole) for label, count in pooled.items()) / 2
