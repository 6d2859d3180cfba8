"""What lies in a store: listed by name, with the pins that name it, and digested again on demand."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from ftbench import builtin
from ftbench.data import digests, outlines
from ftbench.data.store import Store
from ftbench.errors import FtbenchError
from ftbench.spec.pins import Pins

Kind = Literal["rows", "partition", "model", "outline"]

_PLACES: tuple[tuple[Kind, str, str], ...] = (
    ("rows", "data", r"([0-9a-f]{64})\.jsonl"),
    ("partition", "partitions", r"([0-9a-f]{64})\.json"),
    ("model", "models", r"([0-9a-f]{64})"),
    ("outline", "models/outlines", r"([0-9a-f]{64})\.json"),
)


@dataclass(frozen=True, slots=True)
class Holding:
    """One thing in the store."""

    kind: Kind
    digest: str
    path: Path
    size: int
    """Bytes."""
    names: list[str] = field(default_factory=list)
    """Who names it: `SPEC KEY` for a pin, `OWNER/NAME@COMMIT` for a model of the hub."""
    rows: int | None = None
    licence: str | None = None
    revision: str | None = None


def holdings(store: Store, pins: Mapping[str, Pins]) -> list[Holding]:
    """Everything in every root, by kind and digest. `pins` are those that may name it, by the name of their spec."""
    found = []
    for kind, folder, pattern in _PLACES:
        for root in store.roots:
            for path in sorted((root / folder).glob("*")):
                if match := re.fullmatch(pattern, path.name):
                    found.append(_holding(kind, match[1], path, store, pins))
    return found


def _holding(kind: Kind, digest: str, path: Path, store: Store, pins: Mapping[str, Pins]) -> Holding:
    size = sum(file.lstat().st_size for file in (path.rglob("*") if path.is_dir() else [path]) if file.is_file())
    if kind in ("model", "outline"):
        names = [name for name, which in (*builtin.MODELS.items(), *refs(store)) if which == digest]
        return Holding(kind, digest, path, size, list(dict.fromkeys(names)))
    rows, licence, revision = None, None, None
    names = []
    for spec, of in sorted(pins.items()):
        for key, pin in sorted(of.sources.items()):
            if pin.digest == digest:
                names.append(f"{spec} {key}")
                rows, licence, revision = pin.rows, pin.licence, pin.revision
        if of.partition is not None and of.partition.digest == digest:
            names.append(f"{spec} partition")
        if of.partition is not None and of.partition.validation == digest:
            names.append(f"{spec} validation")
    if kind == "rows" and rows is None:
        with path.open("rb") as file:
            rows = sum(1 for _ in file)
    return Holding(kind, digest, path, size, names, rows, licence, revision)


def refs(store: Store) -> Iterable[tuple[str, str]]:
    """(`OWNER/NAME@COMMIT`, digest) of every model of the hub that the store knows, as it is written there."""
    for root in store.roots:
        for path in sorted((root / "models" / "refs").glob("*@*")):
            owner, _, rest = path.name.partition("--")
            yield f"{owner}/{rest}", path.read_text(encoding="ascii", errors="replace").strip()


def whole(holding: Holding) -> bool:
    """Whether its content still has the digest that it is named by."""
    try:
        if holding.kind == "model":
            return digests.model_digest(holding.path) == holding.digest
        if holding.kind == "outline":
            return outlines.read(holding.path, holding.digest).digest == holding.digest
    except FtbenchError:  # a link inside, or an outline that its name does not bear out
        return False
    return digests.file_sha256(holding.path) == holding.digest
