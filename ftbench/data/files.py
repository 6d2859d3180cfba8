"""Writing into the store: whole files or none, and an error that says what to do where that fails."""

from __future__ import annotations

from pathlib import Path

from ftbench import codes
from ftbench.atomic import write_file
from ftbench.diagnostics import Diagnostic, Place
from ftbench.errors import MissingResource


def write_atomic(path: Path, data: bytes) -> None:
    """Write `data` whole or not at all; folders above are made.

    Raises MissingResource (FTB310) where the file system refuses.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_file(path, data)
    except OSError as error:
        raise not_writable(path, error) from error


def not_writable(path: Path, error: OSError) -> MissingResource:
    """The error for a place that could not be written to."""
    message = f"cannot write: {error.strerror or error}"
    return MissingResource(
        Diagnostic(codes.NOT_WRITABLE, message, Place(str(path)), "name a store you may write to: --store DIR")
    )
