"""Scores that somebody published elsewhere: shown beside a table as CLAIMED, never ranked."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from ftbench import codes
from ftbench.diagnostics import Diagnostic, Place, printable
from ftbench.errors import FtbenchError, InvalidInput
from ftbench.result.safejson import parse, to_model
from ftbench.spec.model import Name
from ftbench.spec.primitives import Block

MAX_BYTES = 2**20
"""Largest list that is read."""
CONDITIONS = "other prompts and conditions"
"""What holds of every published score."""
NUMBERS = {"score"}
_NUMBER = re.compile(r"[0-9]+(\.[0-9]+)?")


class Published(Block):
    """One score from elsewhere."""

    benchmark: Name
    """Name of the benchmark beside whose table it stands; any hash and version."""
    name: Annotated[str, Field(min_length=1, max_length=200)]
    """What was scored: a model, a method."""
    score: Annotated[float, Field(ge=0, le=1)]
    """As a share of 1."""
    metric: Annotated[str, Field(max_length=200)] = ""
    """What the score is, in its source's words."""
    source: Annotated[str, Field(min_length=1, max_length=500)]
    """Where it stands: a reference, or an address that begins with https://."""
    conditions: Annotated[str, Field(max_length=500)] = ""
    """What is known to differ, beside prompts and conditions in general."""

    @property
    def link(self) -> str | None:
        """The source as an address that may be followed; null where it is none."""
        plain = self.source.isascii() and self.source.isprintable() and " " not in self.source
        return self.source if plain and self.source.startswith("https://") else None


class PublishedScores(Block):
    """The JSON form of the list."""

    format: Literal["ftbench/published/v1"] = "ftbench/published/v1"
    """Format of this document."""
    scores: list[Published]
    """In any order."""


def load_published(path: Path) -> list[Published]:
    """The scores of a .csv (a header and the fields of `Published`) or .json file, by benchmark and falling score.

    Raises InvalidInput (FTB713) with what is wrong, OSError where it cannot be read.
    """
    data = path.read_bytes()
    try:
        given = _table(data) if path.suffix.lower() == ".csv" else parse(data, str(path), max_bytes=MAX_BYTES)
        found = to_model(given, PublishedScores, str(path)).scores
    except FtbenchError as error:
        why = "; ".join(one.message for one in error.diagnostics)
        raise _bad(path, why) from error
    except (ValueError, csv.Error) as error:
        raise _bad(path, str(error)) from error
    return sorted(found, key=lambda one: (one.benchmark, -one.score, one.name, one.source))


def _table(data: bytes) -> dict[str, Any]:
    if len(data) > MAX_BYTES:
        raise ValueError(f"it has more than {MAX_BYTES} bytes")
    rows = csv.DictReader(io.StringIO(data.decode("utf-8-sig")), strict=True)
    header = rows.fieldnames or []
    if len(set(header)) < len(header):
        raise ValueError("the header names a column twice")
    return {"format": "ftbench/published/v1", "scores": [_row(row) for row in rows]}


def _row(row: dict[str | Any, str | Any]) -> dict[str, Any]:
    if None in row:
        raise ValueError("a line has more cells than the header")
    wrong = [value for name, value in row.items() if name in NUMBERS and value and not _NUMBER.fullmatch(value.strip())]
    if wrong:
        raise ValueError(f"`{printable(wrong[0])[:40]}` is no number such as 0.59")
    return {name: float(value) if name in NUMBERS else value for name, value in row.items() if value}


def _bad(path: Path, why: str) -> InvalidInput:
    hint = "columns or fields: benchmark, name, score (0 to 1), source; metric and conditions where known"
    return InvalidInput(
        Diagnostic(codes.BAD_PUBLISHED, f"these are no published scores: {why}", Place(str(path)), hint)
    )
