"""What a run keeps of a round so that somebody else can do it again, each file named by its digest in the ledger.

Of a round that is kept these lie in `archive/state/`: the adapter and the server's state before it, what each of its
clients kept before it, and every usable reply, decoded. The ledger holds their digests before anybody asks for one.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from . import client_state, state
from .exchange import Exchange
from .files import write_atomic
from .replies import Harvest
from .settings import Settings

FOLDER = "archive"


def keeps(settings: Settings, number: int) -> bool:
    """Whether that round is kept: every `keep-every`-th from the first on, none where it is 0."""
    return settings.keep_every > 0 and not settings.reference and (number - 1) % settings.keep_every == 0


def keep(run_dir: Path, exchange: Exchange, harvest: Harvest, states: Mapping[int, str]) -> None:
    """Write, durably, what the round needs. `states`: partition id → digest of what that client kept before.

    A client's state that lies on another machine is not kept here.
    """
    settings, folder = exchange.settings, run_dir / FOLDER
    state.put(folder, settings.adapter, exchange.current)
    if exchange.kept is not None:
        state.put(folder, settings.spec["strategy"], exchange.kept)
    for partition, usable in sorted(harvest.usable.items()):
        state.put(folder, settings.adapter, dict(usable.arrays))
        if name := states.get(partition, ""):
            held = state.path_of(run_dir / client_state.FOLDER / str(partition), name)
            if held.is_file():
                write_atomic(state.path_of(folder, name), held.read_bytes())
