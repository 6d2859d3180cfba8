"""Arrays that a run moves, by strategy and transport: what an estimate says of its traffic."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ftbench.spec.implied import traffic
from ftbench.spec.primitives import Block
from ftbench.spec.strategies import STRATEGIES
from ftbench.spec.transport import Transport

MIB, GIB = 2**20, 2**30
MOST_ROUNDS = 10_000
"""Rounds that a spec may have at most."""


class Communication(Block):
    """Adapter arrays sent, as coded and with scales, to each client of a round and back, where all of them reply.

    Exact, but for clients of different ranks: which of them are asked depends on the seed, so a round counts as the
    clients' mean.
    """

    client_down_bytes: int
    """What one client is sent, the one that is sent most; in the last round, where rounds grow."""
    client_up_bytes: int
    """What one client sends back, the one that sends most."""
    growing: bool
    """Whether each round moves more than the one before, as FLoRA's do."""
    round_bytes: int
    """One round, both directions; the last, where they grow."""
    total_bytes: int
    """All rounds."""
    total_mib: float
    """The same in MiB (2^20 bytes)."""
    total_gib: float
    """The same in GiB (2^30 bytes)."""
    budget_mib: float | None
    """The benchmark's limit."""
    budget_share: float | None
    """Share of the limit used."""
    rounds_within_budget: int | None
    """Whole rounds that the limit allows."""


@dataclass(frozen=True, slots=True)
class Sending:
    """What traffic depends on."""

    strategy: str
    """Kind."""
    transport: Transport
    """How arrays are coded."""
    shapes: traffic.Shapes
    """Tensors of an adapter, of whatever rank."""
    ranks: Sequence[int]
    """Rank of each client's adapter; one for all where they are equal."""
    clients: int
    """Clients asked in a round."""
    rounds: int
    """Rounds."""

    @property
    def growing(self) -> bool:
        """Whether each round moves more than the one before."""
        return STRATEGIES[self.strategy].growing

    def client(self, rank: int, done: int) -> tuple[int, int]:
        """Bytes down and up of a client of that rank after `done` rounds."""
        stacked = rank * self.clients * done if self.growing else 0
        message = traffic.Message(self.strategy, self.shapes, rank, stacked)
        return traffic.down_bytes(self.transport, message), traffic.up_bytes(self.transport, message)

    def sizes(self) -> Iterator[float]:
        """Bytes of round after round, both directions."""
        size = 0.0
        for done in range(MOST_ROUNDS):
            if self.growing or not done:
                each = {rank: sum(self.client(rank, done)) for rank in set(self.ranks)}
                size = self.clients * sum(each[rank] for rank in self.ranks) / len(self.ranks)
            yield size


def communication(sending: Sending, budget_mib: float | None) -> Communication:
    """Traffic of a run; `budget_mib`: the benchmark's limit."""
    every = [size for size, _ in zip(sending.sizes(), range(sending.rounds), strict=False)]
    down, up = sending.client(max(sending.ranks), sending.rounds - 1)
    total = round(sum(every))
    within = None if budget_mib is None else _within(sending, every[0], budget_mib * MIB)
    return Communication(
        client_down_bytes=down,
        client_up_bytes=up,
        growing=sending.growing,
        round_bytes=round(every[-1]),
        total_bytes=total,
        total_mib=total / MIB,
        total_gib=total / GIB,
        budget_mib=budget_mib,
        budget_share=None if budget_mib is None else total / MIB / budget_mib,
        rounds_within_budget=within,
    )


def _within(sending: Sending, first: float, limit: float) -> int:
    """How many rounds fit; where they grow, no more than a spec may have."""
    if not sending.growing:
        return int(limit // first)
    spent, fit = 0.0, 0
    for size in sending.sizes():
        spent += size
        if spent > limit:
            break
        fit += 1
    return fit
