"""Data, partitions and models in the store, found by their digests and checked against them."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import rfc8785

from .errors import AppError
from .files import sha256_file

DIGEST = re.compile(r"[0-9a-f]{64}")
_verified: set[tuple[str, str]] = set()
"""(path, digest) of models that this process has checked: their files are large."""


def rows(roots: Sequence[Path], digest: str, source: str) -> list[dict[str, Any]]:
    """The rows of a data file. `source` says in words what it is, for the error when it is missing."""
    data = _read(find_rows(roots, digest, source), digest)
    return [json.loads(line) for line in data.split(b"\n") if line]


def partition(roots: Sequence[Path], digest: str) -> list[list[int]]:
    """Row numbers of each client."""
    lists: list[list[int]] = json.loads(_read(find_partition(roots, digest), digest))
    return lists


def model(roots: Sequence[Path], name: str, revision: str) -> Path:
    """Folder of a base model, named by the digest that its files have."""
    folder = find_model(roots, name, revision)
    if (str(folder), folder.name) not in _verified:
        if model_digest(folder) != folder.name:
            raise _damaged(folder)
        _verified.add((str(folder), folder.name))
    return folder


def find_rows(roots: Sequence[Path], digest: str, source: str) -> Path:
    """Where the rows lie, not yet checked. Raises AppError where they are in no root."""
    return _find(roots, f"data/{digest}.jsonl", source)


def find_partition(roots: Sequence[Path], digest: str) -> Path:
    """Where the partition lies, not yet checked. Raises AppError where it is in no root."""
    return _find(roots, f"partitions/{digest}.json", "the partition of the training data")


def find_model(roots: Sequence[Path], name: str, revision: str) -> Path:
    """Where the base model lies, not yet checked. Raises AppError where it is in no root."""
    return _find(roots, f"models/{digest_of(roots, name, revision)}", f"the base model {name}")


def digest_of(roots: Sequence[Path], name: str, revision: str) -> str:
    """Digest of a base model's files: the revision itself, or for a commit what the store has noted for it.

    Raises AppError where the store knows nothing of that commit.
    """
    if len(revision) == 64:
        return revision
    note = f"models/refs/{name.replace('/', '--')}@{revision}"
    path = _find(roots, note, f"the base model {name}@{revision[:12]}", "`ftbench data fetch` gets it from the hub")
    digest = path.read_text(encoding="ascii", errors="replace").strip()
    if not DIGEST.fullmatch(digest):
        raise AppError("FTB546", f"{path} does not hold a digest", "delete it and fetch the model again")
    return digest


def model_digest(folder: Path) -> str:
    """sha256 of the RFC 8785 form of {path: sha256 of the file} over all files of the folder."""
    files = {p.relative_to(folder).as_posix(): sha256_file(p) for p in sorted(folder.rglob("*")) if p.is_file()}
    return hashlib.sha256(rfc8785.dumps(files)).hexdigest()


def _find(roots: Sequence[Path], relative: str, what: str, remedy: str = "`ftbench lock SPEC` makes it") -> Path:
    for root in roots:
        if (root / relative).exists():
            return root / relative
    places = ", ".join(map(str, roots)) or "no folder"
    raise AppError(
        "FTB546",
        f"{what} is missing: {relative} is not in {places}",
        "name the folder that has it in the setting `store` (a benchmark's own store lies beside its versions), "
        f"or get it: {remedy}",
    )


def _read(path: Path, digest: str) -> bytes:
    data = path.read_bytes()
    if hashlib.sha256(data).hexdigest() != digest:
        raise _damaged(path)
    return data


def _damaged(path: Path) -> AppError:
    return AppError("FTB546", f"{path} does not have the digest that its name says", "delete it and fetch it again")
