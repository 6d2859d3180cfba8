"""How the server combines the clients' adapters: one module a strategy, found here by the spec's `strategy.kind`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from ..arrays import Arrays
from . import fedavg

Weighted: TypeAlias = Sequence[tuple[float, Arrays]]
"""(weight, adapter) of each usable reply, in partition order."""
Aggregate: TypeAlias = Callable[[Mapping[str, Any], Arrays, Weighted, Arrays | None], tuple[Arrays, Arrays | None]]
"""(strategy block, global adapter, replies, own state) → (new global adapter, new state); both adapters float32."""

STRATEGIES: dict[str, Aggregate] = {"fedavg": fedavg.aggregate}


def find(kind: str) -> Aggregate:
    """The strategy of that kind. Raises ValueError where there is none."""
    if kind not in STRATEGIES:
        raise ValueError(f"unknown strategy {kind!r}; known: {', '.join(sorted(STRATEGIES))}")
    return STRATEGIES[kind]
