"""Which rank each client trains, and which strategies go with which kinds of adapter."""

from __future__ import annotations

from ftbench.spec.model import Adapter

RANKS = "adapter.client_ranks"
"""Path of the clients' ranks."""
MIXED = "flexlora"
"""The strategy that can combine factors of different ranks: it averages their products."""
LORA_ONLY = {
    "ffa-lora": (
        "FFA-LoRA freezes A so that the mean of the clients' B gives the mean of their weights; DoRA divides each "
        "weight by its norm, and that mean is lost"
    ),
    "flora": (
        "FLoRA adds every client's product to the weights by stacking factors; DoRA's magnitudes multiply the weights "
        "and cannot be stacked"
    ),
}
"""Strategies that their papers define for LoRA alone → why DoRA does not go with them."""


def of_clients(adapter: Adapter, clients: int) -> list[int]:
    """The rank that each client trains, by partition id."""
    ranks = adapter.client_ranks or [adapter.rank]
    return [ranks[number % len(ranks)] for number in range(clients)]
