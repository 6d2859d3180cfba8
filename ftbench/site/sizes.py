"""How large base models are: by the outlines that bundles carry, which CONFORMS holds to the models known here."""

from __future__ import annotations

import json
from collections.abc import Mapping
from math import prod

from ftbench.board.gather import Gathered
from ftbench.result.opening import open_bundle
from ftbench.spec.outline import Outline
from ftbench.verify.documents import read


def sizes(gathered: Gathered) -> dict[str, int]:
    """Base model's name → its parameters, counted in the headers of its weights; models that cannot be counted are
    left out."""
    found: dict[str, int] = {}
    for table in gathered.board.tables:
        for row in table.rows:
            if row.model.name in found:
                continue
            path = gathered.paths.get(row.bundles[0].path)
            outline = read(open_bundle(path)).outline if path is not None else None
            count = _count(outline) if outline is not None else None
            if count:
                found[row.model.name] = count
    return found


def _count(outline: Outline) -> int | None:
    try:
        return sum(_elements(json.loads(header)) for header in outline.headers.values())
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError):
        return None


def _elements(header: Mapping[str, Mapping[str, list[int]]]) -> int:
    return sum(prod(one["shape"]) for name, one in header.items() if name != "__metadata__")
