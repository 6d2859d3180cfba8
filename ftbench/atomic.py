"""Writing files so that a reader sees the old one or the whole new one, never a part."""

from __future__ import annotations

import errno
import os
import tempfile
from pathlib import Path


def write_file(path: Path, content: bytes) -> None:
    """Write through a temporary file beside `path`, fsync and rename; the folder is synced too.

    A link is followed. Raises OSError that names `path`, also where a folder, pipe or device stands there: renamed
    over, `/dev/null` would be a file for everybody.
    """
    if path.exists() and not path.is_file():
        raise FileExistsError(errno.EEXIST, "what stands there is not a regular file", str(path))
    try:
        _replace(Path(os.path.realpath(path)) if path.is_symlink() else path, content)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error


def _replace(path: Path, content: bytes) -> None:
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:32]}.")
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(0o644)  # mkstemp's 0600 would keep a shared folder to one user
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make renames in a folder survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
