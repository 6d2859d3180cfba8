"""Every random number of a run comes from its seed, through a name that says what it is for."""

from __future__ import annotations

import hashlib
import random

import numpy
import rfc8785

SAMPLING = 0x53414D50
"""Third word of the client choice's seed sequence; a verifier uses the same."""
TORCH_THREADS = 1
"""Fixed, so that sums are taken in the same order on every machine with the same kernels."""


def derive(seed: int, purpose: str, *numbers: int) -> int:
    """A 63-bit seed for one purpose: other purposes, rounds or partitions never share a stream."""
    text = rfc8785.dumps(["ftbench/seed/v1", purpose, seed, *numbers])
    return int.from_bytes(hashlib.sha256(text).digest()[:8], "big") >> 1


def seed_everything(value: int) -> None:
    """Seed torch (every device), numpy's global generator and random, and fix torch's threads."""
    import torch

    if torch.get_num_threads() != TORCH_THREADS:
        torch.set_num_threads(TORCH_THREADS)
    torch.manual_seed(value)
    numpy.random.seed(value % 2**32)
    random.seed(value)


def choose_clients(seed: int, round_number: int, clients: int, fraction: float) -> list[int]:
    """Partition ids that train in a round, ascending: max(1, floor(fraction × clients + 0.5)) of them."""
    count = max(1, int(fraction * clients + 0.5))
    generator = numpy.random.default_rng([seed, round_number, SAMPLING])
    return sorted(int(client) for client in generator.choice(clients, size=count, replace=False))
