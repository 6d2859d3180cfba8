"""What a run kept of its rounds, beside its bundle: files named by digests of the ledger, and the list of them.

The bundle names the list by its digest before anybody draws what is done again, so that a submitter commits first and
reveals later (docs/design/024).
"""

from __future__ import annotations

import re
import stat
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError

from ftbench import codes
from ftbench.atomic import write_file
from ftbench.diagnostics import Diagnostic, Place
from ftbench.errors import InvalidInput, MissingResource
from ftbench.result.documents import ManifestFile
from ftbench.spec.canonical import pretty, sha256
from ftbench.spec.model import Sha256
from ftbench.spec.primitives import Block

FOLDER = "archive"
"""The archive's folder in a run's, beside the bundle's."""
LIST = "archive.json"
STATE = "state"
"""The folder of its files."""
_ENDING = ".safetensors"
_PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,199}")

MAX_COUNT = 2**31 - 1
"""Largest count of rounds or examples: more no tensor is asked for."""
MAX_LIST = 64 * 2**20
"""Largest `archive.json` that is read, in bytes."""


class Archive(Block):
    """`archive.json`: what an archive holds, and how the run computed."""

    format: Literal["ftbench/archive/v1"] = "ftbench/archive/v1"
    """Format of this file."""
    spec_hash: Sha256
    """Of the benchmark."""
    entry: Sha256
    """Digest of the resolved entry without metadata."""
    ledger: Sha256
    """sha256 of the ledger's last line."""
    keep_every: Annotated[int, Field(ge=0, le=MAX_COUNT)]
    """Every so manieth round was kept, from the first on; 0: none."""
    micro_batch: Annotated[int, Field(ge=-1, le=MAX_COUNT)]
    """Examples in one pass; 0: the whole batch; -1: as many as fitted. Another number gives other last digits."""
    files: dict[str, ManifestFile]
    """Name in `state/` → size and digest."""


def make(folder: Path, archive: Archive) -> str:
    """Write the list of what lies in `folder`/state, durably, and return its digest. `archive.files` is filled in."""
    found = {path.name: path for path in (folder / STATE).glob(f"*{_ENDING}")}
    files = {name: _listed(found[name]) for name in sorted(found)}
    data = pretty(archive.model_copy(update={"files": files}).model_dump(mode="json"))
    folder.mkdir(parents=True, exist_ok=True)
    write_file(folder / LIST, data)
    return sha256(data)


def read(folder: Path, expected: str) -> Archive:
    """The list, which must have the digest that the bundle gives it; `held` holds the files to it.

    Raises MissingResource (FTB850) where there is none, InvalidInput (FTB851) for another.
    """
    path = folder / LIST
    try:
        info = path.stat()  # a pipe would never end
        data = path.read_bytes() if stat.S_ISREG(info.st_mode) and info.st_size <= MAX_LIST else b""
    except OSError as error:
        hint = "give the folder that the run left beside its bundle with `--archive DIR`"
        raise MissingResource(
            Diagnostic(codes.ARCHIVE_MISSING, f"there is no archive here: {error.strerror}", Place(str(path)), hint)
        ) from error
    if sha256(data) != expected:
        message = f"it has sha256 {sha256(data)[:12]}…, the bundle names {expected[:12]}…"
        raise InvalidInput(Diagnostic(codes.ARCHIVE_OTHER, message, Place(str(path))))
    try:
        return Archive.model_validate_json(data)
    except ValidationError as error:
        message = f"it does not fit its schema in {error.error_count()} places"
        raise InvalidInput(Diagnostic(codes.ARCHIVE_OTHER, message, Place(str(path)))) from error


def held(folder: Path, listed: Archive, most: int) -> None:
    """Hold every file that is there to its size and digest, none read that is larger than listed or than `most` bytes.

    A file that is not there is missed by whoever needs it; one that the list does not name is refused, since whoever
    needs it would read it, whatever its size. Raises InvalidInput (FTB851).
    """
    for path in sorted((folder / STATE).glob("*")):
        if path.name.endswith(_ENDING) and path.name not in listed.files:
            raise InvalidInput(Diagnostic(codes.ARCHIVE_OTHER, "the archive's list does not name it", Place(str(path))))
    for name, told in sorted(listed.files.items()):
        path = folder / STATE / name
        if not _PLAIN.fullmatch(name) or path.is_symlink():
            raise InvalidInput(Diagnostic(codes.ARCHIVE_OTHER, "a name or link leaves the archive", Place(str(path))))
        if not path.exists():
            continue
        if not path.is_file():  # a pipe would never end
            raise InvalidInput(Diagnostic(codes.ARCHIVE_OTHER, "it is no plain file", Place(str(path))))
        size = path.stat().st_size
        if size != told.size or size > most:
            message = f"it has {size:,} bytes, the list says {told.size:,}, and {most:,} are read at most"
            raise InvalidInput(Diagnostic(codes.ARCHIVE_OTHER, message, Place(str(path))))
        if sha256(path.read_bytes()) != told.sha256:
            raise InvalidInput(Diagnostic(codes.ARCHIVE_OTHER, "it is damaged: another digest", Place(str(path))))


def _listed(path: Path) -> ManifestFile:
    data = path.read_bytes()
    return ManifestFile(size=len(data), sha256=sha256(data))
