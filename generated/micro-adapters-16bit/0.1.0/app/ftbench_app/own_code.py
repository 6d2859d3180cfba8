"""The entry's own modules in the open division, imported: see `open_division` for which they may be."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Protocol

from .errors import AppError
from .open_division import MODULES

if TYPE_CHECKING:
    from .arrays import Arrays
    from .settings import Settings
    from .strategy.base import Strategy
    from .training import Outcome


class Train(Protocol):
    """What `open_client.train` must be; `worker.train` is one."""

    def __call__(
        self,
        wanted: Settings,
        partition: int,
        *,
        round_number: int,
        learning_rate: float,
        received: Arrays,
        kind: Strategy,
        client_state: Arrays | None,
    ) -> tuple[Arrays, Outcome]:
        """One client's round from what it received: the trained adapter, and what the steps came to.

        `partition`: whose rows; `round_number`: from 1; `learning_rate`: of this round; `kind`: the strategy in force,
        whose hooks `begin`, `around` and `recipe` are this function's to call; `client_state`: what it keeps here.
        """


def strategy() -> type[Strategy]:
    """The entry's own strategy. Raises AppError where the module has none."""
    found: type[Strategy] = _member("strategy", "Strategy", "class")
    return found


def train() -> Train:
    """The entry's own training. Raises AppError where the module has none."""
    found: Train = _member("client", "train", "function")
    return found


def _member(kind: str, name: str, what: str) -> Any:
    module = importlib.import_module(f".{MODULES[kind]}", __package__)
    found = getattr(module, name, None)
    if not callable(found):
        raise AppError("FTB541", f"{MODULES[kind]}.py has no {what} `{name}`", "see docs/open-division.md")
    return found
