"""Locks of one writer, which the system lets go of with their process: `flock`, or byte ranges on Windows.

Windows opens no folder, so the lock of a folder is that of a file beside it there. Whoever may read a file or folder
may hold it: what others can read is waited for a while, and not for ever.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sys
import time
from pathlib import Path

PAUSE = 0.05
"""Seconds between two tries to hold what another holds."""


class Held(Exception):
    """Another held it for the whole time that was waited."""


def _wait(handle: int, seconds: float | None) -> None:
    """Hold an open file, for which is waited so many seconds; None: as long as it takes. Raises Held after them."""
    until = None if seconds is None else time.monotonic() + seconds
    if until is None:
        lock(handle)
        return
    while True:
        try:
            lock(handle, wait=False)
        except OSError as error:
            if error.errno not in {errno.EACCES, errno.EAGAIN, errno.EDEADLK}:
                raise
            if time.monotonic() >= until:
                raise Held from None
        else:
            return
        time.sleep(PAUSE)


if sys.platform == "win32":  # pragma: no cover - tried by hand, and by the matrix workflow
    import msvcrt

    _ONE_BYTE_FAR_OUT = 2**30
    """Where the byte lies that stands for the whole file: beyond what is read, which Windows would forbid others."""

    def lock(handle: int, wait: bool = True) -> None:
        """Hold an open file alone until it is closed. Raises OSError where another holds it and `wait` is false."""
        while True:
            here = os.lseek(handle, 0, os.SEEK_CUR)
            os.lseek(handle, _ONE_BYTE_FAR_OUT, os.SEEK_SET)
            try:
                msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
            except OSError:
                if not wait:
                    raise
            else:
                return
            finally:
                os.lseek(handle, here, os.SEEK_SET)
            time.sleep(PAUSE)

    def hold_folder(folder: Path, seconds: float | None = None) -> int:
        """A handle that holds the folder alone until it is released: of an empty file beside it. `seconds`: how long is
        waited for another, then it raises Held. Raises OSError; FileNotFoundError where somebody removed the folder
        before it was held."""
        handle = os.open(f"{folder}.lock", os.O_RDWR | os.O_CREAT | os.O_BINARY, 0o600)
        try:
            _wait(handle, seconds)
        except BaseException:
            os.close(handle)
            raise
        if not folder.is_dir():
            release_folder(handle, folder)
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(folder))
        return handle

    def release_folder(handle: int, folder: Path) -> None:
        """Let go of a folder."""
        release(handle, Path(f"{folder}.lock"))

    def holders(folder: Path) -> list[str]:
        """Nobody: Windows does not tell."""
        return []

    def open_for_lock(path: Path) -> int:
        """Open a file, or the lock beside a folder, to try whether somebody holds it. Raises OSError."""
        beside = f"{path}.lock" if path.is_dir() else str(path)
        return os.open(beside, os.O_RDWR | os.O_BINARY)

    def release(handle: int, path: Path | None = None) -> None:
        """Let go of a lock, and remove its file, which Windows can do of a closed one alone: whoever took it in between
        keeps it."""
        os.close(handle)
        if path is not None:
            with contextlib.suppress(OSError):
                path.unlink()

    def sync_folder(folder: Path) -> None:
        """Nothing: Windows opens no folder, and NTFS keeps a journal of renames."""

else:
    import fcntl

    def lock(handle: int, wait: bool = True) -> None:
        """Hold an open file alone until it is closed. Raises OSError where another holds it and `wait` is false."""
        fcntl.flock(handle, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)

    def hold_folder(folder: Path, seconds: float | None = None) -> int:
        """A handle that holds the folder alone until it is released. `seconds`: how long is waited for another, then it
        raises Held. Raises OSError; FileNotFoundError where somebody removed the folder before it was held."""
        handle = os.open(folder, os.O_RDONLY)
        try:
            _wait(handle, seconds)
            if not os.path.samestat(os.fstat(handle), folder.stat()):
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(folder))
        except BaseException:
            os.close(handle)
            raise
        return handle

    def release_folder(handle: int, folder: Path) -> None:
        """Let go of a folder."""
        os.close(handle)

    def holders(folder: Path) -> list[str]:
        """Who holds a folder, as far as the system tells (Linux: /proc/locks): `process 4242 (flock)`. A lock that was
        taken on another machine, or outside this container, has no number here."""
        told = folder.stat()
        place = f"{os.major(told.st_dev):02x}:{os.minor(told.st_dev):02x}:{told.st_ino}"
        found = []
        with contextlib.suppress(OSError):
            for line in Path("/proc/locks").read_text().splitlines():
                words = line.split()
                if "FLOCK" in words and place in words and "->" not in words:
                    found.append(_process(words[words.index(place) - 1]))
        return sorted(set(found))

    def _process(number: str) -> str:
        name = ""
        with contextlib.suppress(OSError):
            name = Path("/proc", number, "comm").read_text(errors="replace").strip()
        return f"process {number} ({name})" if name else f"process {number}"

    def open_for_lock(path: Path) -> int:
        """Open a file or folder, and no link, to try whether somebody holds it; a pipe does not wait. OSError."""
        return os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)

    def release(handle: int, path: Path | None = None) -> None:
        """Let go of a lock; its file, if one is named, is removed before: who waits for it sees that it is gone."""
        if path is not None:
            path.unlink(missing_ok=True)
        os.close(handle)

    def sync_folder(folder: Path) -> None:
        """Make renames in a folder survive a power cut."""
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
