"""One writer at a time: a ServerApp that was stopped on a SuperLink lives on for seconds, and another may begin."""

from __future__ import annotations

import fcntl
import time
from pathlib import Path
from typing import IO

from .errors import AppError

PATIENCE_SECONDS = 60.0
"""How long to wait for the one before; a ServerApp notices within 10 s that its run was stopped."""
POLL_SECONDS = 0.5

# Module names, so that a test can put its own clock in.
now = time.monotonic
sleep = time.sleep


def hold_run(path: Path) -> IO[str]:
    """Hold the lock file for as long as the returned object lives; the system lets go of it with the process.

    A record lock, because it reaches over a network file system; one process may hold it twice. Raises AppError where
    another process keeps it.
    """
    file = path.open("a")
    until = now() + PATIENCE_SECONDS
    while True:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return file
        except OSError as error:
            if now() >= until:
                file.close()
                raise AppError(
                    "FTB549",
                    f"another process writes to {path.parent}: {error.strerror}",
                    "a run of this folder still goes on; stop it (`flwr list`, `flwr stop`), then resume",
                ) from error
        sleep(POLL_SECONDS)
