"""From data files to rows exactly as they stand there, whatever the format."""

from __future__ import annotations

import lzma
import zipfile
import zlib
from collections.abc import Callable, Sequence

from ftbench import codes
from ftbench.data.digests import file_sha256
from ftbench.data.formats import csv, json, parquet
from ftbench.data.formats.base import MAX_ROWS, DataFile
from ftbench.data.table import Spot, Table
from ftbench.diagnostics import Diagnostic, did_you_mean
from ftbench.errors import InvalidInput, MissingResource
from ftbench.spec.model import FileSource, HubSource

ENDINGS: dict[str, tuple[str, ...]] = {
    "parquet": (".parquet",),
    "csv": (".csv",),
    "json": (".json", ".jsonl"),
    "jsonl": (".jsonl", ".json", ".ndjson"),
    "zip-text": (".zip",),
}
"""`format` → endings that a file of it may have. None of them is ever code."""

READERS: dict[str, Callable[[DataFile], Table]] = {
    "parquet": parquet.read,
    "csv": csv.read,
    "json": json.read_array,
    "jsonl": json.read_lines,
}
"""`format` → what reads a file of it; an archive's member has its own way."""

DAMAGE = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, RuntimeError, NotImplementedError)
"""What reading a damaged archive raises, or one with a password; bzip2 tells damage by an OSError without a number."""
MAX_MEMBER = 512 * 2**20
"""Most bytes of an archive's member, unpacked."""


def read(source: HubSource | FileSource, files: Sequence[DataFile], what: str) -> Table:
    """Rows of the files, in their order; what some rows of JSON leave out is null there.

    Raises MissingResource: FTB346 for a file with another digest than the spec's `sha256`, FTB332 for one that is not
    what `format` says, FTB335 for too many rows or too large an archive. InvalidInput: FTB337 for a csv file's row of
    another length than its header.
    """
    if source.sha256 is not None and (found := file_sha256(files[0].path)) != source.sha256:
        message = f"{what}: the file has sha256 {found}, the spec says {source.sha256}"
        raise MissingResource(Diagnostic(codes.OTHER_FILE, message, hint="nothing of it was used"))
    tables = []
    rows = 0
    for file in files:
        file.whole()
        if source.format == "zip-text":
            tables.append(_zip_lines(file, source.member, what))
        else:
            tables.append(READERS[source.format](file))
        rows += len(tables[-1].rows)
        if rows > MAX_ROWS:
            raise MissingResource(Diagnostic(codes.DATA_TOO_LARGE, f"{what} has more than {MAX_ROWS:,} rows"))
    # JSON may leave a name out where its value is null; a table's file has all its columns.
    return Table.joined(tables, whole=source.format in ("json", "jsonl"))


def _zip_lines(file: DataFile, member: str | None, what: str) -> Table:
    """Lines of one member, without their ends, the last one's empty rest left out.

    UTF-8 where the whole member is, else ISO 8859-1, in which older corpora are kept.
    """
    if member is None:
        raise InvalidInput(Diagnostic(codes.FILE_KIND, f"{what}: format zip-text needs `member`"))
    try:
        with zipfile.ZipFile(file.path) as archive:
            names = archive.namelist()
            if member not in names:
                hint = did_you_mean(member, names) or f"it has: {', '.join(names[:5])}"
                raise MissingResource(Diagnostic(codes.NO_FILE, f"{what}: the archive has no `{member}`", hint=hint))
            info = archive.getinfo(member)
            with archive.open(info) as opened:
                data = opened.read(MAX_MEMBER + 1)
    except DAMAGE as error:
        raise file.refused(" ".join(str(error).split())[:300] or type(error).__name__) from error
    except OSError as error:
        if error.errno is not None:
            raise
        raise file.refused(" ".join(str(error).split())[:300]) from error
    if len(data) > MAX_MEMBER:
        message = f"{what}: `{member}` unpacks to more than {MAX_MEMBER:,} bytes"
        raise MissingResource(Diagnostic(codes.DATA_TOO_LARGE, message))
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("iso-8859-1")
    lines = [line.removesuffix("\r") for line in text.split("\n")]
    if lines[-1] == "":
        lines.pop()
    name = f"{file.name}/{member}"
    return Table([{"text": line} for line in lines], [Spot(name, n + 1, 1, n) for n in range(len(lines))])
