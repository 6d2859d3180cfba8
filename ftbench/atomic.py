"""Writing files and folders so that a reader sees the old one or the whole new one, never a part.

What is not whole yet lies beside its target under a temporary name, and whoever writes it holds a lock on it. What a
killed process left has no lock any more: the next who writes the same target takes it away.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import glob
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

RENAME_EXCHANGE = 2  # linux/fs.h
AT_FDCWD = -100  # linux/fcntl.h
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
        try:
            _replace(target, content, mode)
        except FileNotFoundError:  # another writer swept the file away before it was locked
            _replace(target, content, mode)
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
    sweep(target)
    fresh = Path(tempfile.mkdtemp(prefix=_prefix(target), dir=target.parent))
    lock = os.open(fresh, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield fresh
        umask = os.umask(0)
        os.umask(umask)
        fresh.chmod(0o777 & ~umask)  # mkdtemp makes it private
        if target.exists():
            _exchange(fresh, target)
        else:
            fresh.rename(target)
        sync_folder(target.parent)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
        os.close(lock)


def sync_folder(folder: Path) -> None:
    """Make renames in a folder survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _replace(path: Path, content: bytes, mode: int) -> None:
    sweep(path)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=_prefix(path))
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
            temporary.chmod(mode)  # mkstemp's 0600 would keep a shared folder to one user
            temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def _prefix(target: Path) -> str:
    return f".{target.name[:32]}.ftb-"


def sweep(target: Path) -> None:
    """Remove what killed writers of this target left: what nobody holds a lock on. Writing does so by itself."""
    for name in target.parent.glob(glob.escape(_prefix(target)) + "*"):
        try:
            handle = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)  # a pipe of that name would wait
        except OSError:
            continue
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if name.is_dir():
                shutil.rmtree(name, ignore_errors=True)
            else:
                name.unlink(missing_ok=True)
        except OSError:
            continue  # somebody is writing it now
        finally:
            os.close(handle)


def _exchange(fresh: Path, target: Path) -> None:
    """Put each in the other's place: what was at `target` is at `fresh` then, or gone."""
    try:
        call = ctypes.CDLL(None, use_errno=True).renameat2
        if call(AT_FDCWD, os.fsencode(fresh), AT_FDCWD, os.fsencode(target), RENAME_EXCHANGE) == 0:
            return
    except (AttributeError, OSError):  # another system
        pass
    old = fresh.with_name(fresh.name + ".old")
    target.rename(old)
    fresh.rename(target)
    shutil.rmtree(old)
