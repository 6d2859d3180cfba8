"""Which rank each client trains."""

from __future__ import annotations

from ftbench.spec.model import Adapter

RANKS = "adapter.client_ranks"
"""Path of the clients' ranks."""


def of_clients(adapter: Adapter, clients: int) -> list[int]:
    """The rank that each client trains, by partition id."""
    ranks = adapter.client_ranks or [adapter.rank]
    return [ranks[number % len(ranks)] for number in range(clients)]
