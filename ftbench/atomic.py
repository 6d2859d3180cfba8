"""Writing files and folders so that a reader sees the old one or the whole new one, never a part.

What is not whole yet lies beside its target under a temporary name, and whoever writes it holds a lock on it. What a
killed process left has no lock any more: the next who writes the same target takes it away.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import glob
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from ftbench.locks import hold_folder, lock, open_for_lock, release_folder, sync_folder

__all__ = ["PRIVATE", "fresh_folder", "scratch_folder", "sweep", "sync_folder", "write_file", "write_folder"]

RENAME_EXCHANGE = 2  # linux/fs.h
AT_FDCWD = -100  # linux/fcntl.h
TRIES = 20
"""Times that a file is begun which others sweep away before it is locked, or a folder's place is taken while others
take it too."""
PRIVATE = 0o600
"""Mode of a file that its owner alone reads."""


def write_file(path: Path, content: bytes, mode: int = 0o644) -> None:
    """Write through a temporary file beside `path`, fsync and rename; the folder is synced too. `mode`: who may read
    it, at no moment anybody else.

    A link is followed. Raises OSError that names `path`, also where a folder, pipe or device stands there: renamed
    over, `/dev/null` would be a file for everybody.
    """
    if path.exists() and not path.is_file():
        raise FileExistsError(errno.EEXIST, "what stands there is not a regular file", str(path))
    target = Path(os.path.realpath(path)) if path.is_symlink() else path
    try:
        for left in range(TRIES, 0, -1):
            try:
                _replace(target, content, mode)
                break
            except FileNotFoundError:  # another writer swept the file away before it was locked
                if left == 1 or not target.parent.is_dir():
                    raise
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error


def write_folder(target: Path, files: Mapping[str, bytes]) -> None:
    """Put a folder with these files, by relative path, in the place of `target`, at once where the system can.

    Where it cannot exchange two folders, there is none at `target` for a moment. Raises OSError.
    """
    with fresh_folder(target) as fresh:
        for name, content in sorted(files.items()):
            place = fresh / name
            place.parent.mkdir(parents=True, exist_ok=True)
            with place.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())


@contextlib.contextmanager
def fresh_folder(target: Path) -> Iterator[Path]:
    """A folder to fill that takes the place of `target` when the block ends, and is gone where it breaks off.

    Who needs its files to survive a power cut syncs them. Raises OSError.
    """
    fresh, held = _held_folder(target)
    try:
        yield fresh
        umask = os.umask(0)
        os.umask(umask)
        fresh.chmod(0o777 & ~umask)  # mkdtemp makes it private
        for left in range(TRIES, 0, -1):
            try:
                _take_place(fresh, target)
                break
            except OSError as error:  # another writer's came, or went, since it was looked at
                if left == 1 or error.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOENT):
                    raise
        sync_folder(target.parent)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
        release_folder(held, fresh)


@contextlib.contextmanager
def scratch_folder(name: str) -> Iterator[Path]:
    """A private folder in the system's temporary folder, gone when the block ends. What killed processes left there
    under this name goes first. Raises OSError."""
    fresh, held = _held_folder(Path(tempfile.gettempdir(), name))
    try:
        yield fresh
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
        release_folder(held, fresh)


def sync_file(path: Path) -> None:
    """Have a file that another writer made on the disk, before a name says that it is whole. Raises OSError."""
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _replace(path: Path, content: bytes, mode: int) -> None:
    sweep(path)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=_prefix(path))
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            lock(file.fileno())
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
            temporary.chmod(mode)  # mkstemp's 0600 would keep a shared folder to one user
            if sys.platform == "win32":  # renames nothing that is open
                file.close()
            temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def _held_folder(target: Path) -> tuple[Path, int]:
    """A new private folder beside `target`, and the lock on it. Another writer may sweep it away before it is locked:
    then there is another."""
    sweep(target)
    while True:
        fresh = Path(tempfile.mkdtemp(prefix=_prefix(target), dir=target.parent))
        with contextlib.suppress(FileNotFoundError):
            return fresh, hold_folder(fresh)


def _prefix(target: Path) -> str:
    return f".{target.name[:32]}.ftb-"


def sweep(target: Path) -> None:
    """Remove what killed writers of this target left: what nobody holds a lock on. Writing does so by itself."""
    for name in target.parent.glob(glob.escape(_prefix(target)) + "*"):
        try:
            handle = open_for_lock(name)
        except OSError:
            continue
        try:
            lock(handle, wait=False)
            if name.is_dir():
                shutil.rmtree(name, ignore_errors=True)
            elif sys.platform != "win32":
                name.unlink(missing_ok=True)
        except OSError:
            continue  # somebody is writing it now
        finally:
            os.close(handle)
        if sys.platform == "win32":  # removes nothing that is open
            with contextlib.suppress(OSError):
                name.unlink(missing_ok=True)


def _take_place(fresh: Path, target: Path) -> None:
    if target.exists():
        _exchange(fresh, target)
    else:
        fresh.rename(target)


def _exchange(fresh: Path, target: Path) -> None:
    """Put each in the other's place: what was at `target` is at `fresh` then, or gone."""
    if sys.platform == "linux":
        with contextlib.suppress(AttributeError, OSError):  # an old C library
            call = ctypes.CDLL(None, use_errno=True).renameat2
            if call(AT_FDCWD, os.fsencode(fresh), AT_FDCWD, os.fsencode(target), RENAME_EXCHANGE) == 0:
                return
    old = fresh.with_name(fresh.name + ".old")
    target.rename(old)
    try:
        fresh.rename(target)
    except OSError:
        with contextlib.suppress(OSError):  # another's stands there now
            old.rename(target)
        if target.exists():
            shutil.rmtree(old, ignore_errors=True)
        raise
    shutil.rmtree(old)
