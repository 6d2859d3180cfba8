"""At a site: its own rows looked at, counted and locked. What leaves is a `SiteLock`; rows and salt stay."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ftbench import codes
from ftbench.data import digests, fitness, overlap, sources
from ftbench.data.loaded import Beside, Request
from ftbench.data.reading import ENDINGS
from ftbench.data.sources import TRAIN
from ftbench.data.store import Store
from ftbench.diagnostics import Diagnostic, Place, did_you_mean
from ftbench.errors import FtbenchError, InvalidInput
from ftbench.spec.model import FileSource, SitesSource, Spec
from ftbench.spec.sites import SiteCounts, SiteLock, site_inputs
from ftbench.spec.template import fill

SALT_BYTES = 32
Why = Literal["repeated", "empty-answer", "equal-answers"]


@dataclass(frozen=True)
class Locked:
    """A site's rows as it keeps them, and what it hands out."""

    rows: bytes
    """Canonical rows, one a line."""
    salt: bytes
    lock: SiteLock
    notes: list[Diagnostic]
    """What is worth knowing before rows are used; for the site's own eyes."""


def lock_rows(
    spec: Spec, site: str, files: Sequence[Path], *, licence: str, key: str, store: Store, normalise: str | None = None
) -> Locked:
    """Read, check and lock a site's own rows. Every row that can be learnt from is kept, once.

    Raises InvalidInput: FTB349 for a spec whose rows are at no sites or that does not name this one; what reading files
    raises; FTB36x for rows that no template takes, FTB328 where nothing is left.
    """
    _named(spec, site)
    rows = _load(spec, files, normalise)
    errors, notes = fitness.place_problems(fitness.look(spec, TRAIN, rows))
    if errors:
        raise InvalidInput(errors)
    kept, left_out = _kept(spec, rows)
    if not kept:
        raise InvalidInput(Diagnostic(codes.NO_ROWS, "no row of this site can be learnt from", Place(str(files[0]))))
    data, salt = digests.rows_bytes(kept), secrets.token_bytes(SALT_BYTES)
    counts = SiteCounts(read=len(rows), rows=len(kept), left_out=left_out, in_tests=_in_tests(spec, kept, store))
    made = SiteLock(
        site=site,
        inputs=site_inputs(spec),
        digest=hashlib.sha256(salt + data).hexdigest(),
        counts=counts,
        licence=licence,
        key=key,
    )
    return Locked(data, salt, made, notes)


def _named(spec: Spec, site: str) -> None:
    source = spec.data.source
    if not isinstance(source, SitesSource):
        message = "this spec's training rows are at no sites: its `data.source` is of another kind"
        raise InvalidInput(Diagnostic(codes.SITE_LOCKS, message, hint="`data.source: {kind: sites, sites: […]}`"))
    if site not in source.sites:
        hint = did_you_mean(site, source.sites) or f"its sites are {', '.join(source.sites)}"
        raise InvalidInput(Diagnostic(codes.SITE_LOCKS, f"the spec has no site `{site}`", hint=hint))


def _load(spec: Spec, files: Sequence[Path], normalise: str | None) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for path in files:
        kind = next((kind for kind, endings in ENDINGS.items() if path.suffix in endings and kind != "zip-text"), None)
        if kind is None or path.suffix == ".jsonl":
            kind = "jsonl"
        source = FileSource.model_validate(
            {"kind": "file", "files": [path.name], "format": kind, "normalise": normalise}
        )
        where = Beside(path.absolute().parent, path.absolute().parent)
        found += sources.load(source, spec.data.columns, Request(beside=where)).rows
    return found


def _kept(spec: Spec, rows: Sequence[dict[str, Any]]) -> tuple[list[dict[str, Any]], dict[Why, int]]:
    """Rows that teach something, each once, and how many were left out for what."""
    answers = [spec.data.completion] + ([spec.data.rejected] if spec.data.rejected else [])
    seen, kept, left = set[bytes](), [], dict[Why, int]()
    for row in rows:
        filled = [fill(text, row) for text in answers]
        line = digests.row_line(row)
        why: Why | None = None
        if not all(text.strip() for text in filled):
            why = "empty-answer"
        elif len(filled) != len(set(filled)):
            why = "equal-answers"
        elif line in seen:
            why = "repeated"
        if why is not None:
            left[why] = left.get(why, 0) + 1
            continue
        seen.add(line)
        kept.append(row)
    return kept, left


def _in_tests(spec: Spec, rows: Sequence[dict[str, Any]], store: Store) -> int | None:
    """Rows that hold an item of a test set, where every test set is built in or its rows are in the store."""
    texts: set[str] = set()
    try:
        for task in spec.evaluation.tasks:
            for item in sources.load(task.source, task.columns).rows:
                texts |= set(overlap.texts(task.prompt, item))
    except (FtbenchError, ValueError):  # of the hub, or a file that is not here
        return None
    return sum(any(text in texts for text in overlap.texts(spec.data.prompt, row)) for row in rows)
