"""Private folders for what is not whole yet, on the store's disk, so that whole things can be renamed into place."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

from ftbench.data.files import not_writable
from ftbench.locks import lock as hold
from ftbench.locks import release

KEPT_SECONDS = 7 * 24 * 3600
"""How long what is left of an interrupted download of a model waits to be gone on with."""


@contextmanager
def folder(root: Path, keep: str = "") -> Iterator[Path]:
    """A folder of this process alone below `root`, gone afterwards.

    With `keep`, a name, it stays when an error ends the block, and the next block of that name finds it: its user must
    check every file again. A folder that a killed process left is swept away by the next one. The lock beside it, and
    not its age, says whether somebody still works in it.
    Raises MissingResource (FTB310) where nothing can be written.
    """
    name = f"keep-{keep}" if keep else f"new-{uuid4().hex[:16]}"
    path = root / name
    try:
        root.mkdir(parents=True, exist_ok=True)
        handle = _locked(root / f"{name}.lock")
    except OSError as error:
        raise not_writable(root, error) from error
    try:
        _sweep(root, name)
        path.mkdir(mode=0o700, exist_ok=True)
        try:
            yield path
        except BaseException:
            if not keep:
                shutil.rmtree(path, ignore_errors=True)
            raise
        shutil.rmtree(path, ignore_errors=True)
    finally:
        release(handle, None if path.exists() else root / f"{name}.lock")


def _locked(path: Path) -> int:
    """An open lock that nobody else holds, of the file that is at `path` now: who held it may have removed that."""
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        hold(handle)
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(handle), path.stat()):
                return handle
        os.close(handle)


def _sweep(root: Path, mine: str) -> None:
    """Remove what no living process works in; kept folders only when they are old."""
    for lock in root.glob("*.lock"):
        name = lock.stem
        with suppress(OSError):
            if name == mine or (name.startswith("keep-") and time.time() - lock.stat().st_mtime < KEPT_SECONDS):
                continue
            handle = os.open(lock, os.O_RDWR)
            free = False
            try:
                hold(handle, wait=False)
                free = True
                shutil.rmtree(root / name, ignore_errors=True)
            finally:
                release(handle, lock if free else None)
