"""What a client keeps from one of its rounds to the next, in files of its own that are named by their digest.

The server says from which of them a client must begin: the one that its last committed reply left. The client keeps
that one and what was made since, and removes what is older, so a round that is not committed, or a run that is killed,
is repeated from the same state. Nothing of it travels.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Mapping
from pathlib import Path

import rfc8785

from . import state
from .arrays import Arrays
from .errors import AppError
from .settings import Settings

FOLDER = "clients"
CONFIG: Mapping[str, str] = {"kind": "client-state"}
"""What the digest of a client's state begins with."""


def root(wanted: Settings, own: str = "") -> Path:
    """The folder of all clients' states on this machine.

    `own`: a folder of the node's own (node config `state-dir`), where each run has one of its own; without it the
    run's folder, which server and clients share in a simulation. Raises AppError where neither is on this machine.
    """
    if own:
        run = rfc8785.dumps([wanted.spec_hash, wanted.entry_digest, wanted.reference, str(wanted.run_dir)])
        return Path(own) / hashlib.sha256(run).hexdigest()[:16]
    if wanted.run_dir is None or not wanted.run_dir.is_dir():
        raise AppError("FTB540", "there is no folder for the client's state", "give the SuperNode a `state-dir`")
    return wanted.run_dir


def load(folder: Path, partition: int, name: str) -> Arrays | None:
    """The state of that digest; None for the empty name: the client's first round. Raises AppError where it is lost."""
    if not name:
        return None
    home = folder / FOLDER / str(partition)
    try:
        found = state.get(home, CONFIG, name)
    except AppError as error:
        message = f"the state that client {partition} kept after its last reply is lost: {error.message}"
        raise AppError("FTB549", message, "it is left out of this run from now on") from error
    _forget_older(state.path_of(home, name))
    return found


def keep(folder: Path, partition: int, arrays: Arrays) -> str:
    """Write the state, durably, and return its digest."""
    return state.put(folder / FOLDER / str(partition), CONFIG, arrays)


def _forget_older(begun: Path) -> None:
    """Remove the files that were written before the state that training begins from.

    Younger ones stay: a message that waited in a queue past its round is carried out when the reply to a later one may
    be committed already, and knows nothing of the state that this left.
    """
    for path in begun.parent.iterdir():
        with contextlib.suppress(FileNotFoundError):  # removed by another process meanwhile
            if path.stat().st_mtime_ns < begun.stat().st_mtime_ns:
                path.unlink()
