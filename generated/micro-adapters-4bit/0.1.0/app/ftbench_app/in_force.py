"""Which strategy combines the clients' adapters in this run."""

from __future__ import annotations

from . import client_rows, open_division, own_code, strategy
from .settings import Settings
from .strategy import base


def strategy_of(settings: Settings) -> base.Strategy:
    """The strategy in force: the spec's, or in the open division the entry's own.

    A reference run with one virtual client has none, and its client's adapter is the next.
    """
    block = settings.spec["strategy"]
    if settings.virtual:
        kind = base.Strategy
    else:
        kind = (
            own_code.strategy()
            if open_division.brings(settings.open_code, "strategy")
            else strategy.find_strategy(block["kind"])
        )
    return kind(block, settings.adapter, client_rows.sizes(settings))
