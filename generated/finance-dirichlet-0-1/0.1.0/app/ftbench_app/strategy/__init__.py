"""How the server combines the clients' adapters: one module a strategy, found here by the spec's `strategy.kind`.

A compiled benchmark holds only the strategies that its spec allows, so each is imported when it is asked for.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from ..arrays import Arrays
from .mean import Weighted as Weighted

Aggregate: TypeAlias = Callable[[Mapping[str, Any], Arrays, Weighted, Arrays | None], tuple[Arrays, Arrays | None]]
"""(strategy block, global adapter, replies, own state) → (new global adapter, new state); all arrays float32."""

KINDS = ("fedadam", "fedavg", "fedavgm", "fedprox", "flexlora")
"""Every strategy; each is a module here with a function `aggregate`."""


def find(kind: str) -> Aggregate:
    """The strategy of that kind. Raises ValueError where there is none."""
    if kind not in KINDS:
        raise ValueError(f"unknown strategy {kind!r}; known: {', '.join(KINDS)}")
    aggregate: Aggregate = importlib.import_module(f".{kind}", __name__).aggregate
    return aggregate
