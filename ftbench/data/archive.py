"""Rows in one file, to give to whoever verifies: `data export` makes it, `data add` takes it in by digest.

A tar without compression: `ftbench-data.json`, which says what is in it, and `data/<sha256>.jsonl` as in a store. Equal
rows give equal bytes. Of an archive nothing is believed: each file must have the digest that it is named by, and only
names of that one form are read.
"""

from __future__ import annotations

import io
import json
import re
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from ftbench import codes
from ftbench.data.files import write_atomic
from ftbench.data.sources import TRAIN, named_sources
from ftbench.data.store import Store
from ftbench.diagnostics import Diagnostic, Place
from ftbench.errors import InvalidInput, MissingResource
from ftbench.spec.canonical import canonical, sha256
from ftbench.spec.model import FileSource, HubSource, SitesSource, Spec
from ftbench.spec.pins import Pins, SourcePin

FORMAT = "ftbench/data-archive/v1"
INDEX = "ftbench-data.json"
MAX_ROWS = 8 * 2**30
"""Most bytes of one file in an archive."""
_NAME = re.compile(r"data/([0-9a-f]{64})\.jsonl")


@dataclass(frozen=True, slots=True)
class Moved:
    """Rows that went into an archive or came out of one."""

    key: str
    """Which source of the spec they are, as the archive says."""
    digest: str
    rows: int
    new: bool = True
    """Whether the store lacked them."""


def export(spec: Spec, pins: Pins, store: Store, path: Path, keys: Sequence[str]) -> tuple[list[Moved], list[str]]:
    """Write the rows of the sources `keys` (none: all whose text may be passed on) to `path`.

    Returns what is in it, and the keys that were left out because their text may not be passed on. Raises InvalidInput
    (FTB314) for a key that the spec has not, MissingResource (FTB301, FTB326).
    """
    sources = named_sources(spec)
    if unknown := [key for key in keys if key not in sources]:
        message = f"the spec has no source `{unknown[0]}`"
        raise InvalidInput(Diagnostic(codes.ARCHIVE, message, hint=f"its sources: {', '.join(sources)}"))
    if isinstance(spec.data.source, SitesSource):
        del sources[TRAIN]  # they are at their sites
    kept = [key for key, (one, _) in sources.items() if isinstance(one, FileSource | HubSource) and one.redistribute]
    chosen = {key: pins.sources[key] for key in sources if key in keys or (not keys and key not in kept)}
    files: dict[str, bytes] = {}
    listed: dict[str, dict[str, object]] = {}
    for key, pin in chosen.items():
        if pin.digest is None:
            message = f"`{key}` is not resolved yet: there are no rows to give"
            raise MissingResource(Diagnostic(codes.DATA_UNRESOLVED, message, hint="run: ftbench lock SPEC"))
        files[f"data/{pin.digest}.jsonl"] = store.data_path(pin.digest, key).read_bytes()
        listed[key] = _described(pin)
    index = {"format": FORMAT, "name": spec.metadata.name, "version": spec.metadata.version, "sources": listed}
    write_atomic(path, _tar({INDEX: canonical(index) + b"\n", **files}))
    moved = [Moved(key, str(pin.digest), pin.rows or 0) for key, pin in chosen.items()]
    return moved, [key for key in kept if key not in chosen]


def take(path: Path, store: Store) -> list[Moved]:
    """Put every row file of an archive into the store. Nothing is kept of an archive with a wrong one.

    Raises InvalidInput (FTB314) for what is no such archive, holds something else, or rows with another digest.
    """
    try:
        with tarfile.open(path, "r:") as archive:
            members = archive.getmembers()
            index = _index(path, archive.extractfile(members[0]) if members and members[0].name == INDEX else None)
            bodies: dict[str, bytes] = {}
            for member in members[1:]:
                match = _NAME.fullmatch(member.name)
                # Nothing is packed here, so no file is larger than the archive: a sparse one says that it is.
                if match is None or not member.isreg() or member.size > min(MAX_ROWS, path.stat().st_size):
                    raise _refused(path, f"it holds `{member.name}`, which is not the rows of a source")
                opened = archive.extractfile(member)
                body = opened.read() if opened else b""
                if sha256(body) != match[1]:
                    raise _refused(path, f"`{member.name}` has sha256 {sha256(body)}", "get it again; nothing was used")
                bodies[match[1]] = body
    except (tarfile.TarError, OSError, EOFError) as error:
        raise _refused(path, f"it cannot be read: {error}") from error
    keys = {one.get("digest"): key for key, one in index.items()}
    moved = []
    for digest, body in bodies.items():
        new = not store.has_rows(digest)
        if new:
            write_atomic(store.roots[0] / "data" / f"{digest}.jsonl", body)
        moved.append(Moved(str(keys.get(digest, "rows")), digest, body.count(b"\n"), new))
    return moved


def _described(pin: SourcePin) -> dict[str, object]:
    return {"digest": pin.digest, "rows": pin.rows, "licence": pin.licence}


def _index(path: Path, opened: IO[bytes] | None) -> dict[str, dict[str, object]]:
    try:
        found = json.loads(opened.read(2**20)) if opened else None
        if not isinstance(found, dict) or found.get("format") != FORMAT:
            raise ValueError
        sources = found["sources"]
        if not isinstance(sources, dict) or not all(isinstance(one, dict) for one in sources.values()):
            raise ValueError
    except (ValueError, KeyError, RecursionError):
        raise _refused(path, f"it does not begin with {INDEX} of {FORMAT}") from None
    return sources


def _tar(files: dict[str, bytes]) -> bytes:
    """A tar that depends on nothing but names and bytes."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, data in sorted(files.items(), key=lambda item: (item[0] != INDEX, item[0])):
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(data), 0o644
            archive.addfile(info, io.BytesIO(data))
    return made.getvalue()


def _refused(path: Path, why: str, hint: str = "`ftbench data export SPEC` makes one") -> InvalidInput:
    return InvalidInput(Diagnostic(codes.ARCHIVE, f"this is no archive of data: {why}", Place(str(path)), hint))
