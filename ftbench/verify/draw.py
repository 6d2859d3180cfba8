"""What is done again: drawn from the bundle's digest and a verifier's nonce, so that no submitter can foresee it.

The draw is a ranking by sha256 over (bundle, nonce, what): without the nonce nobody knows it, with it everybody can
make it again. Clients and aggregations are drawn from all committed rounds, kept or not. An aggregation takes no
training, so beyond what the spec asks for all are done again whose rounds the archive says were kept.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from ftbench.result.documents import Round
from ftbench.spec.model import SpotRule

DOMAIN = b"ftbench/spot/v1\n"
NONCE_BYTES = 16
"""Of a nonce that ftbench draws itself."""

MOST_AGGREGATIONS = 200
"""That are done again beyond the spec's number."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Draw:
    """What a spot-run does again."""

    items: dict[str, list[int]]
    """Task → items by their index, ascending."""
    clients: list[tuple[int, int]]
    """(round, client), in the order of the draw."""
    aggregations: list[int]
    """Rounds, in the order of the draw; the spec's number of them first, then those that were kept."""
    validations: list[int] = field(default_factory=list)
    """Rounds whose validation loss is computed again, ascending."""


def draw(  # noqa: PLR0917 - what the draw is a function of
    bundle: str, nonce: bytes, rule: SpotRule, items: Mapping[str, int], rounds: Sequence[Round], keep_every: int = 0
) -> Draw:
    """The draw of a bundle (sha256 of its manifest) and a nonce. `items`: task → number of its items; `keep_every`:
    every so manieth round was kept, from the first on, 0: none."""
    seed = hashlib.sha256(DOMAIN + bytes.fromhex(bundle) + nonce).digest()
    replies = [(body.round, reply.partition) for body in rounds for reply in body.replies]
    return Draw(
        items={
            task: sorted(_first(seed, f"item {task}", range(items[task]), number))
            for task, number in stratified(items, rule.items).items()
        },
        clients=_first(seed, "client", replies, rule.client_rounds),
        aggregations=_rounds(_first(seed, "aggregation", [b.round for b in rounds], len(rounds)), rule, keep_every),
    )


def validations(drawn: Draw, rule: SpotRule, scored: int, last: int) -> list[int]:
    """As many rounds as the spec asks to aggregate again, and the one that is scored. The last round's adapter lies
    nowhere unless it is that one: an archive has what each round began from."""
    others = [number for number in drawn.aggregations if number not in {scored, last}]
    return sorted([scored, *others[: rule.aggregations]])


def _rounds(ranked: Sequence[int], rule: SpotRule, keep_every: int) -> list[int]:
    asked, rest = ranked[: rule.aggregations], ranked[rule.aggregations :]
    kept = [number for number in rest if keep_every and (number - 1) % keep_every == 0]
    return [*asked, *kept[: max(0, MOST_AGGREGATIONS - len(asked))]]


def stratified(sizes: Mapping[str, int], wanted: int) -> dict[str, int]:
    """Task → how many of its items are drawn: in proportion, rounded up, so that each has one."""
    total = sum(sizes.values())
    return {task: min(size, -(-wanted * size // total)) for task, size in sorted(sizes.items()) if size}


def _first(seed: bytes, what: str, of: Iterable[T], number: int) -> list[T]:
    ranked = sorted(of, key=lambda one: hashlib.sha256(seed + f"{what} {one!r}".encode()).digest())
    return ranked[:number]
