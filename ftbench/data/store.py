"""The store: rows, partitions and models by sha256, in one or more folders.

    <root>/data/<sha256>.jsonl         rows: RFC 8785 lines; the name is the sha256 of the file
    <root>/partitions/<sha256>.json    RFC 8785 list of lists of row numbers
    <root>/models/<sha256>/            a model's files; the name is the digest of {path: sha256 of the file}
    <root>/models/outlines/<sha256>.json    what is known of a model that need not be here: see ftbench.spec.outline
    <root>/models/refs/OWNER--NAME@COMMIT   which model a commit of the hub is: its digest and a newline; of a local
                                       model its digest stands for the commit
    <root>/tmp/                        what is not whole yet; never read as data

Roots are searched in order and writing goes to the first. What is read is checked against its name, so a store may lie
on a shared or synchronised disk. Two things no name can check: which model a commit is, and the headers in an outline.
Who verifies takes them from a store that they would take the model from. Files never change once written.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ftbench import builtin, codes
from ftbench.atomic import fresh_folder, sync_file
from ftbench.data import digests, outlines
from ftbench.data.files import not_writable, write_atomic
from ftbench.diagnostics import Diagnostic, Place
from ftbench.errors import MissingResource
from ftbench.spec.canonical import digest as json_digest
from ftbench.spec.canonical import sha256
from ftbench.spec.model import BaseModelRef
from ftbench.spec.outline import Outline

VARIABLE = "FTBENCH_STORE"
"""Environment variable with the roots, joined as PATH is."""

FETCH = "ftbench data fetch --model"

_DIGEST = re.compile(r"[0-9a-f]{64}")

_checked_models: dict[tuple[str, tuple[tuple[str, int, int], ...]], dict[str, str]] = {}
"""Model folders found whole by this process, with the size and change time of every file then → the files' digests."""


class Store:
    """Content-addressed files in `roots`. Readers raise MissingResource: FTB301, FTB302 missing; FTB303 corrupt."""

    def __init__(self, roots: Sequence[Path]) -> None:
        if not roots:
            raise ValueError("a store needs at least one root")
        self.roots = [Path(root).expanduser().absolute() for root in roots]

    @classmethod
    def default(cls, option: str | None = None) -> Store:
        """The roots given (`option`, else $FTBENCH_STORE, else ~/.cache/ftbench/store), then ftbench's own."""
        given = option or os.environ.get(VARIABLE) or str(Path("~/.cache/ftbench/store"))
        roots = [Path(part).expanduser().absolute() for part in given.split(os.pathsep) if part]
        if builtin.store() not in roots:
            roots.append(builtin.store())
        return cls(roots)

    def joined(self) -> str:
        """The absolute roots as one string: the form of $FTBENCH_STORE and of the app's `store` key."""
        return os.pathsep.join(str(root) for root in self.roots)

    # --- reading ------------------------------------------------------------------------------------------------------

    def data_path(self, digest: str, source: str = "", command: str = "") -> Path:
        """The checked file of those rows. `source` and `command` are for the message about a missing one."""
        path = self._find(f"data/{digest}.jsonl")
        if path is None:
            raise self._missing(codes.MISSING_DATA, f"rows {digest}", source, command)
        _read_checked(path, digest)
        return path

    def rows(self, digest: str, source: str = "", command: str = "") -> list[dict[str, Any]]:
        """The rows with that digest."""
        path = self._find(f"data/{digest}.jsonl")
        if path is None:
            raise self._missing(codes.MISSING_DATA, f"rows {digest}", source, command)
        return [json.loads(line) for line in _read_checked(path, digest).decode().split("\n")[:-1]]

    def has_rows(self, digest: str) -> bool:
        """Whether the rows are here and whole."""
        path = self._find(f"data/{digest}.jsonl")
        return path is not None and digests.file_sha256(path) == digest

    def has_partition(self, digest: str) -> bool:
        """Whether the partition is here and whole."""
        path = self._find(f"partitions/{digest}.json")
        return path is not None and digests.file_sha256(path) == digest

    def partition(self, digest: str, source: str = "", command: str = "") -> list[list[int]]:
        """The partition with that digest: row numbers for each client."""
        path = self._find(f"partitions/{digest}.json")
        if path is None:
            raise self._missing(codes.MISSING_DATA, f"partition {digest}", source, command)
        shares: list[list[int]] = json.loads(_read_checked(path, digest))
        return shares

    def partition_path(self, digest: str) -> Path:
        """The checked file of that partition. Raises MissingResource."""
        self.partition(digest)
        path = self._find(f"partitions/{digest}.json")
        assert path is not None
        return path

    def model_path(self, digest: str, source: str = "", command: str = "") -> Path:
        """The folder of the model with that digest. Checked once in a process, and again if a file was touched."""
        return self._model(digest, source, command)[0]

    def has_model(self, digest: str) -> bool:
        """Whether the model's folder is here, whole or not."""
        return self._find(f"models/{digest}") is not None

    def outline(self, digest: str, source: str = "") -> Outline:
        """What there is to know of that model without its weights: from the model where it is here, else as it was
        kept. Raises FTB302 where neither is here, FTB303, FTB332."""
        if self.has_model(digest):
            return outlines.of_folder(*self._model(digest))
        path = self._find(f"models/outlines/{digest}.json")
        if path is None:
            raise self._missing(codes.MISSING_MODEL, f"model {digest}", source, f"{FETCH} NAME@COMMIT")
        return outlines.read(path, digest)

    def model_digest(self, ref: BaseModelRef) -> str:
        """Digest of the files of a base model. A revision of 64 digits is that digest, one of 40 a commit of the hub,
        which `ftbench data fetch --model` has brought here. Raises FTB302, FTB303 for a reference that is no digest."""
        if len(ref.revision) == 64:
            return ref.revision
        name = f"{ref.name}@{ref.revision}"
        path = self._find(_ref_name(ref))
        if path is None:
            raise self._missing(codes.MISSING_MODEL, f"model {name}", "", f"{FETCH} {name}")
        digest = path.read_text(encoding="ascii", errors="replace").strip()
        if not _DIGEST.fullmatch(digest):
            hint = f"delete it and get the model again: {FETCH} {name}"
            raise MissingResource(Diagnostic(codes.CORRUPT, "corrupt: this is no digest", Place(str(path)), hint))
        return digest

    def is_named(self, ref: BaseModelRef) -> bool:
        """Whether somebody has said to this store that the model of that revision has that name."""
        return self._find(_ref_name(ref)) is not None

    # --- writing ------------------------------------------------------------------------------------------------------

    def scratch(self) -> Path:
        """Folder for what is not whole yet, on the same disk as the store; nothing in it is ever read as data."""
        return self.roots[0] / "tmp"

    def put_rows(self, rows: Sequence[dict[str, Any]]) -> str:
        """Keep rows and return their digest. Nothing is written if a root has them already."""
        data = digests.rows_bytes(rows)
        return self._put(data, "data", ".jsonl")

    def put_partition(self, shares: Sequence[Sequence[int]]) -> str:
        """Keep a partition and return its digest."""
        return self._put(digests.partition_bytes(shares), "partitions", ".json")

    def put_outline(self, outline: Outline) -> str:
        """Keep what is known of a model, and return the model's digest."""
        write_atomic(self.roots[0] / f"models/outlines/{outline.digest}.json", outline.to_bytes())
        return outline.digest

    def put_model_ref(self, ref: BaseModelRef, digest: str) -> None:
        """Remember that a commit of the hub is the model with that digest."""
        write_atomic(self.roots[0] / _ref_name(ref), digest.encode() + b"\n")

    def put_model(self, folder: Path, *, take: bool = False) -> str:
        """Keep a copy of all files in `folder`, or with `take` the files themselves, and return the model's digest."""
        digest = digests.model_digest(folder)
        present = self._find(f"models/{digest}")
        if present is not None and digests.model_digest(present) == digest:
            return digest
        target = self.roots[0] / "models" / digest
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with fresh_folder(target) as copy:  # what is at `target` is corrupt, or it would have been found above
                for name in digests.model_files(folder):
                    _keep(folder / name, copy / name, take=take)
        except OSError as error:
            raise not_writable(target, error) from error
        return digest

    # --- inside -------------------------------------------------------------------------------------------------------

    def _model(self, digest: str, source: str = "", command: str = "") -> tuple[Path, dict[str, str]]:
        path = self._find(f"models/{digest}")
        if path is None:
            raise self._missing(codes.MISSING_MODEL, f"model {digest}", source, command)
        state = (str(path), _stat(path))
        if state not in _checked_models:
            files = digests.model_files(path)
            if (found := json_digest(files)) != digest:
                raise _corrupt(path, found)
            _checked_models[state] = files
        return path, _checked_models[state]

    def _find(self, relative: str) -> Path | None:
        return next((root / relative for root in self.roots if (root / relative).exists()), None)

    def _put(self, data: bytes, folder: str, ending: str) -> str:
        digest = sha256(data)
        present = self._find(f"{folder}/{digest}{ending}")
        if present is None or present.read_bytes() != data:
            write_atomic(self.roots[0] / folder / f"{digest}{ending}", data)
        return digest

    def _missing(self, code: str, what: str, source: str, command: str) -> MissingResource:
        origin = f" ({source})" if source else ""
        where = ", ".join(str(root) for root in self.roots)
        hint = f"get it: {command or 'ftbench lock SPEC'}; or name the store that has it: --store DIR"
        return MissingResource(Diagnostic(code, f"{what}{origin} is not in the store; looked in {where}", hint=hint))


def _ref_name(ref: BaseModelRef) -> str:
    return f"models/refs/{ref.name.replace('/', '--')}@{ref.revision}"


def _keep(source: Path, target: Path, *, take: bool) -> None:
    """The file itself or a copy of it, on disk for good when this returns. Weights may be larger than memory."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if take:
        shutil.move(source, target)
    else:
        shutil.copyfile(source, target)
    target.chmod(0o644)
    sync_file(target)


def _read_checked(path: Path, digest: str) -> bytes:
    data = path.read_bytes()
    found = sha256(data)
    if found != digest:
        raise _corrupt(path, found)
    return data


def _corrupt(path: Path, found: str) -> MissingResource:
    message = f"corrupt: its content has sha256 {found}, its name says otherwise"
    hint = "delete it and get it again: ftbench lock SPEC makes built-in data and partitions"
    return MissingResource(Diagnostic(codes.CORRUPT, message, Place(str(path)), hint))


def _stat(folder: Path) -> tuple[tuple[str, int, int], ...]:
    found = []
    for path in sorted(folder.rglob("*")):
        stat = path.lstat()
        found.append((path.relative_to(folder).as_posix(), stat.st_size, stat.st_mtime_ns))
    return tuple(found)
