"""Writing files so that a reader sees the old one or the whole new one, never a part."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from ftbench.data import codes
from ftbench.diagnostics import Diagnostic, Place
from ftbench.errors import MissingResource


def write_atomic(path: Path, data: bytes) -> None:
    """Write `data` through a temporary file beside `path`, fsync and rename; folders above are made.

    Raises MissingResource (FTB310) where the file system refuses.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:32]}.")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            Path(temporary).chmod(0o644)  # mkstemp's 0600 would keep a shared store to one user
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
        sync_folder(path.parent)
    except OSError as error:
        raise not_writable(path, error) from error


def sync_folder(folder: Path) -> None:
    """Make a rename in `folder` survive a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def not_writable(path: Path, error: OSError) -> MissingResource:
    """The error for a place that could not be written to."""
    message = f"cannot write: {error.strerror or error}"
    return MissingResource(
        Diagnostic(codes.NOT_WRITABLE, message, Place(str(path)), "name a store you may write to: --store DIR")
    )
