"""How rows, partitions and model folders are turned into bytes and digests. Pure functions."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from ftbench import codes
from ftbench.diagnostics import Diagnostic, Place
from ftbench.errors import InvalidInput, MissingResource
from ftbench.spec.canonical import canonical, canonical_json, digest, sha256


def row_line(row: dict[str, Any]) -> bytes:
    """One row as the store holds it: RFC 8785 bytes and a newline. Raises ValueError where there is no such form."""
    return canonical_json(row) + b"\n"


def rows_bytes(rows: Iterable[dict[str, Any]]) -> bytes:
    """All rows, one line each. Raises InvalidInput (FTB307) naming the first row without a canonical form."""
    lines = []
    for number, row in enumerate(rows):
        try:
            line = row_line(row)
            canonical_json(
                json.loads(line)
            )  # a float such as 1e17 is written as a whole number too large to be read back
            lines.append(line)
        except (ValueError, RecursionError) as error:
            raise InvalidInput(Diagnostic(codes.BAD_VALUE, f"row {number} (from 0): {error}")) from error
    return b"".join(lines)


def rows_digest(rows: Iterable[dict[str, Any]]) -> str:
    """Digest of rows in their order: what their file in the store is named by. Raises InvalidInput (FTB307)."""
    return sha256(rows_bytes(rows))


def partition_bytes(shares: Sequence[Sequence[int]]) -> bytes:
    """A partition as the store holds it: a list of row numbers for each client."""
    return canonical([list(share) for share in shares])


def file_sha256(path: Path) -> str:
    """sha256 of a file, read in pieces: weights may be larger than memory."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def model_files(folder: Path) -> dict[str, str]:
    """Path inside the folder (POSIX) → sha256, of every file.

    Raises MissingResource (FTB303) for a link: what it points to could change under its digest.
    """
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_symlink():
            message = "a link in a model's folder: its digest would not cover what it points to"
            raise MissingResource(
                Diagnostic(codes.CORRUPT, message, Place(str(path)), "replace the link by the file itself")
            )
        if path.is_file():
            found[path.relative_to(folder).as_posix()] = file_sha256(path)
    return found


def model_digest(folder: Path) -> str:
    """Digest of a model: that of the RFC 8785 object of its files' digests, so it binds names and contents."""
    return digest(model_files(folder))


def share_digests(rows: Sequence[dict[str, Any]], shares: Sequence[Sequence[int]]) -> list[str]:
    """For each client the digest of its canonical rows in its order."""
    lines = [row_line(row) for row in rows]
    return [sha256(b"".join(lines[number] for number in share)) for share in shares]
