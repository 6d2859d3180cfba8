"""How the server combines the clients' adapters: one module a strategy, found here by the spec's `strategy.kind`.

A compiled benchmark holds only the strategies that its spec allows, so each is imported when it is asked for.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from .. import opened, shares
from . import base
from .mean import Weighted as Weighted

if TYPE_CHECKING:
    from ..settings import Settings

KINDS = (
    "fedadagrad",
    "fedadam",
    "fedavg",
    "fedavgm",
    "fedmedian",
    "fedprox",
    "fedtrimmedavg",
    "fedyogi",
    "ffa-lora",
    "flexlora",
    "flora",
    "krum",
    "multikrum",
    "scaffold",
)
"""Every strategy; each is a module here, `-` written `_`, with a class `Strategy`."""


def find(kind: str) -> type[base.Strategy]:
    """The strategy of that kind. Raises ValueError where there is none."""
    if kind not in KINDS:
        raise ValueError(f"unknown strategy {kind!r}; known: {', '.join(KINDS)}")
    found: type[base.Strategy] = importlib.import_module(f".{kind.replace('-', '_')}", __name__).Strategy
    return found


def of(settings: Settings) -> base.Strategy:
    """The strategy in force: the spec's, or in the open division the entry's own.

    A reference run with one virtual client has none, and its client's adapter is the next.
    """
    block = settings.spec["strategy"]
    if settings.virtual:
        kind = base.Strategy
    else:
        kind = opened.strategy() if opened.brings(settings.open_code, "strategy") else find(block["kind"])
    return kind(block, settings.adapter, shares.sizes(settings))
