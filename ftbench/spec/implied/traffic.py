"""Which arrays a strategy sends: what communication is counted by, before a run and after it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from ftbench.spec.strategies import STRATEGIES
from ftbench.spec.transport import Coding, Transport, sent_bytes

Shapes: TypeAlias = Mapping[str, tuple[int, ...]]
"""Tensor name → shape."""
A, B = ".lora_A.weight", ".lora_B.weight"
"""Endings of the factors' names: A is [rank, in], B is [out, rank]."""
FACTORS = {"A": A, "B": B}
CONTROL = "control::"
"""Prefix of SCAFFOLD's control variates."""


@dataclass(frozen=True, slots=True)
class Message:
    """What the arrays of one client's round depend on."""

    strategy: str
    """Kind."""
    adapter: Shapes
    """Tensors of an adapter, of whatever rank."""
    rank: int
    """Rank that the client trains."""
    stacked: int = 0
    """FLoRA: rank of the stack so far, the client's rank times the usable replies of all rounds before."""


def down(message: Message) -> Shapes:
    """What the client is sent."""
    if STRATEGIES[message.strategy].growing:  # whole each round: who was not asked before has none of it
        return of_rank(message.adapter, message.stacked)
    return up(message)


def up(message: Message) -> Shapes:
    """What it sends back."""
    shapes = trained(message.strategy, message.adapter, message.rank)
    if STRATEGIES[message.strategy].variates:  # the adapter and a control variate for each of its tensors
        return {**shapes, **{CONTROL + name: shape for name, shape in shapes.items()}}
    return shapes


def trained(strategy: str, adapter: Shapes, rank: int) -> Shapes:
    """What a client of that rank trains."""
    shapes = of_rank(adapter, rank)
    return {name: shape for name, shape in shapes.items() if not is_frozen(strategy, name)}


def is_frozen(strategy: str, name: str) -> bool:
    """Whether that tensor stays as it was drawn, the same everywhere, so that nobody sends it."""
    return any(name.endswith(FACTORS[factor]) for factor in STRATEGIES[strategy].frozen)


def of_rank(shapes: Shapes, rank: int) -> Shapes:
    """The same adapter with another rank."""
    changed = {}
    for name, shape in shapes.items():
        changed[name] = (rank, *shape[1:]) if name.endswith(A) else (*shape[:-1], rank) if name.endswith(B) else shape
    return changed


def size(coding: Coding, shapes: Shapes) -> int:
    """Bytes of these arrays as sent."""
    return sum(sent_bytes(coding, shape) for shape in shapes.values())


def down_bytes(transport: Transport, message: Message) -> int:
    """Bytes that the client is sent."""
    return size(transport.down, down(message))


def up_bytes(transport: Transport, message: Message) -> int:
    """Bytes that it sends back."""
    return size(transport.up, up(message))
