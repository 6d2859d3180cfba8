"""How the server combines the clients' adapters: one module a strategy, found here by the spec's `strategy.kind`.

A compiled benchmark holds only the strategies that its spec allows, so each is imported when it is asked for.
"""

from __future__ import annotations

import importlib
from pathlib import Path

from . import base
from .mean import Weighted as Weighted


def find_strategy(kind: str) -> type[base.Strategy]:
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
