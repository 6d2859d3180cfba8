"""The rows of files that a draft is made from, read as `lock` will read them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ftbench import codes
from ftbench.data import local
from ftbench.data.loaded import Beside
from ftbench.data.reading import ENDINGS
from ftbench.diagnostics import Diagnostic, Place
from ftbench.errors import InvalidInput
from ftbench.spec import extends
from ftbench.spec.model import FileSource

Format = Literal["parquet", "csv", "json", "jsonl"]
FORMATS: dict[str, Format] = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
    ".csv": "csv",
    ".parquet": "parquet",
}
"""Ending → format; archives of text hold no answers."""


@dataclass(frozen=True, slots=True)
class Given:
    """A file and its rows."""

    name: str
    """Path relative to the spec."""
    format: Format
    rows: list[dict[str, Any]]

    def values(self, column: str) -> list[Any]:
        """A column's values that are not null."""
        return [row[column] for row in self.rows if row.get(column) is not None]

    @property
    def columns(self) -> list[str]:
        """The columns in the order of the first row."""
        return list(self.rows[0])


def read(path: Path, spec: Path) -> Given:
    """The rows of `path` for a spec that will stand at `spec`.

    Raises InvalidInput (FTB319 for a name without a known ending), and what `lock` would raise for this file.
    """
    found = next((form for ending, form in FORMATS.items() if path.name.endswith(ending)), None)
    if found is None:
        endings = ", ".join(sorted({one for form in FORMATS.values() for one in ENDINGS[form]}))
        message = "what this file is cannot be told from its name"
        hint = f"names end in {endings}; of a zip archive of text write the spec by hand"
        raise InvalidInput(Diagnostic(codes.NO_DRAFT, message, Place(str(path)), hint))
    folder = spec.absolute().parent
    name = _relative(path, folder)
    source = FileSource(kind="file", files=[name], format=found)
    rows = local.load(source, Beside(folder, extends.tree(spec))).rows
    if not rows:
        raise InvalidInput(Diagnostic(codes.NO_DRAFT, "the file has no rows", Place(str(path))))
    return Given(name, found, rows)


def _relative(path: Path, folder: Path) -> str:
    """The path as a spec in `folder` names it; where it lies elsewhere, as it was given: `lock` says what is wrong."""
    whole = path.absolute()
    if whole.is_relative_to(folder):
        return whole.relative_to(folder).as_posix()
    import os

    return Path(os.path.relpath(whole, folder)).as_posix()
