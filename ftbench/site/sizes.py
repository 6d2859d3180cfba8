"""How large base models are: by the outlines that bundles carry, which CONFORMS holds to the models known here."""

from __future__ import annotations

import json
from collections.abc import Mapping
from math import prod
from pathlib import Path

from ftbench.board.gather import Gathered
from ftbench.errors import FtbenchError
from ftbench.result import names, safejson
from ftbench.result.opening import open_bundle
from ftbench.spec.outline import MAX_BYTES, Outline


def sizes(gathered: Gathered) -> dict[str, int]:
    """Base model's name → its parameters, counted in the headers of its weights; models that cannot be counted are
    left out."""
    found: dict[str, int] = {}
    for table in gathered.board.tables:
        for row in table.rows:
            if row.model.name in found:
                continue
            path = gathered.paths.get(row.bundles[0].path)
            count = _count(path) if path is not None else None
            if count:
                found[row.model.name] = count
    return found


def _count(path: Path) -> int | None:
    try:
        text = open_bundle(path).files[names.MODEL]
        outline = safejson.parse_model(text, Outline, names.MODEL, max_bytes=MAX_BYTES)
        return sum(_elements(json.loads(header)) for header in outline.headers.values())
    except (FtbenchError, AttributeError, KeyError, TypeError, ValueError, RecursionError):
        return None


def _elements(header: Mapping[str, Mapping[str, list[int]]]) -> int:
    return sum(prod(one["shape"]) for name, one in header.items() if name != "__metadata__")
