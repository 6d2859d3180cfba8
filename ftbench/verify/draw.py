"""What is done again: drawn from the bundle's digest and a verifier's nonce, so that no submitter can foresee it.

The draw is a ranking by sha256 over (bundle, nonce, what): without the nonce nobody knows it, with it everybody can
make it again. Clients and aggregations are drawn from all committed rounds, kept or not.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from ftbench.result.documents import Round
from ftbench.spec.model import SpotRule

DOMAIN = b"ftbench/spot/v1\n"
NONCE_BYTES = 16
"""Of a nonce that ftbench draws itself."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Draw:
    """What a spot-run does again."""

    items: dict[str, list[int]]
    """Task → items by their index, ascending."""
    clients: list[tuple[int, int]]
    """(round, client), in the order of the draw."""
    aggregations: list[int]
    """Rounds, in the order of the draw."""


def draw(bundle: str, nonce: bytes, rule: SpotRule, items: Mapping[str, int], rounds: Sequence[Round]) -> Draw:
    """The draw of a bundle (sha256 of its manifest) and a nonce. `items`: task → number of its items."""
    seed = hashlib.sha256(DOMAIN + bytes.fromhex(bundle) + nonce).digest()
    replies = [(body.round, reply.partition) for body in rounds for reply in body.replies]
    return Draw(
        items={
            task: sorted(_first(seed, f"item {task}", range(items[task]), number))
            for task, number in stratified(items, rule.items).items()
        },
        clients=_first(seed, "client", replies, rule.client_rounds),
        aggregations=_first(seed, "aggregation", [body.round for body in rounds], rule.aggregations),
    )


def stratified(sizes: Mapping[str, int], wanted: int) -> dict[str, int]:
    """Task → how many of its items are drawn: in proportion, rounded up, so that each has one."""
    total = sum(sizes.values())
    return {task: min(size, -(-wanted * size // total)) for task, size in sorted(sizes.items()) if size}


def _first(seed: bytes, what: str, of: Iterable[T], number: int) -> list[T]:
    ranked = sorted(of, key=lambda one: hashlib.sha256(seed + f"{what} {one!r}".encode()).digest())
    return ranked[:number]
