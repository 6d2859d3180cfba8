"""Differential privacy of whole clients: what one client sends is bounded and covered by noise.

`central`: the server clips every change, takes their uniform mean over the clients sampled, adds noise, and hands the
strategy the outcome as the only reply. What the strategy does with it afterwards cannot undo that. `local`: each client
clips and covers its own change before it is sent. A compiled benchmark whose spec has no `privacy` block has this
module alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..arrays import Arrays
from ..strategy.mean import Weighted

if TYPE_CHECKING:
    from ..settings import Settings

LOCAL = "local"


def block_of(settings: Settings) -> Mapping[str, Any] | None:
    """The spec's `privacy` in force; None where there is none, and in a reference run with one virtual client."""
    block: Mapping[str, Any] | None = settings.spec.get("privacy")
    return None if settings.virtual else block


def clips_here(settings: Settings) -> bool:
    """Whether the server clips every reply by itself."""
    block = block_of(settings)
    return block is not None and block["kind"] != LOCAL


def spent(settings: Settings, sampled: Sequence[Sequence[int]]) -> float | None:
    """Epsilon after rounds that sampled these clients, one list a round; None where nothing is accounted."""
    block = block_of(settings)
    if block is None or not sampled:
        return None
    from . import accounting

    multiplier = float(block["noise_multiplier"])
    if block["kind"] == LOCAL:
        return accounting.local(multiplier, float(block["delta"]), accounting.most_often(sampled))
    clients = int(settings.spec["federation"]["clients"])
    return accounting.central(multiplier, float(block["delta"]), clients, len(sampled[-1]), len(sampled))


def exceeded(settings: Settings, sampled: Sequence[Sequence[int]]) -> str:
    """Why the last of these rounds may not begin, in words; empty where it may."""
    block, after = block_of(settings), spent(settings, sampled)
    if block is None or after is None or after <= float(block["epsilon"]) * (1 + TOLERANCE):
        return ""
    before = spent(settings, sampled[:-1]) or 0.0
    return (
        f"epsilon {before:.6g} spent; round {len(sampled)} would make it {after:.6g}; "
        f"the budget is {float(block['epsilon']):.6g} at delta {float(block['delta']):.3g}"
    )


TOLERANCE = 1e-9
"""Relative: a budget computed to be just met is met, whatever the machine's last digits."""


def central(
    settings: Settings, number: int, replies: Weighted, *, base: Arrays, sampled: int, state: Arrays | None
) -> tuple[Weighted, Arrays | None]:
    """What the strategy gets instead of the replies, and the next clip where it adapts; the same where not central.

    `base`: what a reply counts as a change from. `sampled`: clients sampled, those included that sent nothing usable.
    """
    block = block_of(settings)
    if block is None or block["kind"] == LOCAL:
        return replies, state
    from . import server

    return server.release(block, (settings.seed, number), replies, base=base, sampled=sampled, state=state)


def local(settings: Settings, number: int, partition: int, base: Arrays, reply: Arrays) -> Arrays:
    """What a client sends instead of its reply: the same where the spec has no local privacy."""
    block = block_of(settings)
    if block is None or block["kind"] != LOCAL:
        return reply
    from . import client

    return client.release(block, (settings.seed, number, partition), base, reply)


def is_secret(settings: Settings) -> bool:
    """Whether a client's reply cannot be made again, since its noise is the operating system's."""
    block = block_of(settings)
    if block is None or block["kind"] != LOCAL:
        return False
    from . import noise

    return noise.secret()


def record(settings: Settings, sampled: Sequence[Sequence[int]], state: Arrays | None) -> dict[str, float] | None:
    """What the ledger's line of a round says: epsilon spent so far and the clip it was made with.

    `state`: the server's own before that round.
    """
    block, after = block_of(settings), spent(settings, sampled)
    if block is None or after is None:
        return None
    from . import clipping

    return {"epsilon": after, "clip": clipping.in_force(block, state)}
