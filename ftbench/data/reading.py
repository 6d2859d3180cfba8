"""From downloaded files to rows of plain values, through `datasets`; text in a zip archive by ourselves.

A value comes out the same from every format: see docs/data.md for what a csv file cannot say.
"""

from __future__ import annotations

import csv
import re
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ftbench import codes
from ftbench.data.digests import file_sha256
from ftbench.diagnostics import Diagnostic, did_you_mean
from ftbench.errors import InvalidInput, MissingResource
from ftbench.spec.model import HubSource

Row = dict[str, Any]

ENDINGS: dict[str, tuple[str, ...]] = {
    "parquet": (".parquet",),
    "csv": (".csv",),
    "json": (".json", ".jsonl"),
    "jsonl": (".jsonl", ".json", ".ndjson"),
    "zip-text": (".zip",),
}
"""`format` → endings that a file of it may have. None of them is ever code."""

MAX_MEMBER = 512 * 2**20
"""Most bytes of an archive's member, unpacked."""
MAX_ROWS = 20_000_000
"""Most rows of a source."""

_INTEGER = re.compile(r"-?(0|[1-9][0-9]{0,14})")
_FLOAT = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]{1,2})?")


def read(source: HubSource, paths: Sequence[Path], cache: Path, what: str) -> list[Row]:
    """Rows of the files, in their order. `cache` is a folder for `datasets` to work in.

    Raises MissingResource: FTB346 for a file with another digest than the spec's `sha256`, FTB332 for one that is not
    what `format` says, FTB335 for too many rows or too large an archive.
    """
    if source.sha256 is not None and (found := file_sha256(paths[0])) != source.sha256:
        message = f"{what}: the file has sha256 {found}, the spec says {source.sha256}"
        raise MissingResource(Diagnostic(codes.OTHER_FILE, message, hint="nothing of it was used"))
    if source.format == "zip-text":
        return [row for path in paths for row in _zip_lines(path, source.member, what)]
    rows = _load(source.format, paths, cache, what)
    return _typed(rows) if source.format == "csv" else rows


def _load(format_: str, paths: Sequence[Path], cache: Path, what: str) -> list[Row]:
    import datasets

    options: dict[str, Any] = {}
    builder = "json" if format_ == "jsonl" else format_
    datasets.disable_progress_bars()
    datasets.logging.set_verbosity(datasets.logging.CRITICAL)  # a file that it refuses is told in our own words
    try:
        if format_ == "csv":
            options = {"features": _all_text(paths[0], what), "keep_default_na": False, "na_filter": False}
        loaded = datasets.load_dataset(
            builder, data_files=[str(path) for path in paths], split="train", cache_dir=str(cache), **options
        )
        if len(loaded) > MAX_ROWS:
            raise MissingResource(Diagnostic(codes.DATA_TOO_LARGE, f"{what} has {len(loaded):,} rows"))
        rows: list[Row] = loaded.to_list()
    except MissingResource:
        raise
    except OSError as error:
        if error.errno is not None:
            raise
        raise _unreadable(format_, what, error) from error
    except Exception as error:  # `datasets` and pyarrow have many ways to refuse a file
        raise _unreadable(format_, what, error) from error
    return rows


def _unreadable(format_: str, what: str, error: Exception) -> MissingResource:
    cause = error.__cause__ or error
    message = f"{what} cannot be read as {format_}: {' '.join(str(cause).split())[:300] or type(cause).__name__}"
    return MissingResource(Diagnostic(codes.UNREADABLE, message, hint="look at the source's `format` and `files`"))


def _all_text(path: Path, what: str) -> Any:
    """Every column as text: what a value is, is decided by us, alike on every machine."""
    import datasets

    with path.open(newline="", encoding="utf-8-sig") as file:
        header = next(csv.reader(file), [])
    if not header or len(set(header)) != len(header):
        message = f"{what}: the csv file's first line does not name its columns, each once"
        raise MissingResource(Diagnostic(codes.UNREADABLE, message))
    return datasets.Features({name: datasets.Value("string") for name in header})


def _typed(rows: list[Row]) -> list[Row]:
    """Columns in which every value is a whole number, or every value a number, as such; all others as text."""
    columns = list(rows[0]) if rows else []
    kinds: dict[str, type[int] | type[float]] = {}
    for column in columns:
        values = [str(row[column]) for row in rows]
        if all(_INTEGER.fullmatch(value) for value in values):
            kinds[column] = int
        elif all(_FLOAT.fullmatch(value) for value in values):
            kinds[column] = float
    return [{name: kinds[name](value) if name in kinds else value for name, value in row.items()} for row in rows]


def _zip_lines(path: Path, member: str | None, what: str) -> list[Row]:
    """Lines of one member, without their ends, the last one's empty rest left out.

    UTF-8 where the whole member is, else ISO 8859-1, in which older corpora are kept.
    """
    if member is None:
        raise InvalidInput(Diagnostic(codes.FILE_KIND, f"{what}: format zip-text needs `member`"))
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            if member not in names:
                hint = did_you_mean(member, names) or f"it has: {', '.join(names[:5])}"
                raise MissingResource(Diagnostic(codes.NO_FILE, f"{what}: the archive has no `{member}`", hint=hint))
            info = archive.getinfo(member)
            with archive.open(info) as file:
                data = file.read(MAX_MEMBER + 1)
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError) as error:
        raise _unreadable("zip-text", what, error) from error
    if len(data) > MAX_MEMBER:
        message = f"{what}: `{member}` unpacks to more than {MAX_MEMBER:,} bytes"
        raise MissingResource(Diagnostic(codes.DATA_TOO_LARGE, message))
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("iso-8859-1")
    lines = [line.removesuffix("\r") for line in text.split("\n")]
    return [{"text": line} for line in (lines[:-1] if lines[-1] == "" else lines)]
