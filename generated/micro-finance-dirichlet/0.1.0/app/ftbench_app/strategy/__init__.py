"""How the server combines the clients' adapters: one module a strategy, found here by the spec's `strategy.kind`.

A compiled benchmark holds only the strategies that its spec allows, so each is imported when it is asked for.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING

from .. import opened, shares
from . import base
from .mean import Weighted as Weighted

if TYPE_CHECKING:
    from ..settings import Settings


def find(kind: str) -> type[base.Strategy]:
    """The strategy of that kind: the class `Strategy` of the module here with its name, `-` written `_`.

    Raises ValueError where this benchmark has none.
    """
    name = kind.replace("-", "_")
    if name == "base" or not (Path(__file__).parent / f"{name}.py").is_file():
        raise ValueError(f"there is no strategy {kind!r}")
    found: type[base.Strategy] | None = getattr(importlib.import_module(f".{name}", __name__), "Strategy", None)
    if found is None:  # a module that strategies share
        raise ValueError(f"there is no strategy {kind!r}")
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
