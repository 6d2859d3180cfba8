"""Compiled benchmarks on disk: write one, compare it with what its spec compiles to, check it against its own lock."""

from __future__ import annotations

import difflib
import json
from pathlib import Path

from pydantic import ValidationError

from ftbench import codes
from ftbench.atomic import sweep, write_folder
from ftbench.compile.compiler import LOCK_NAME, Compiled
from ftbench.compile.plan import PLAN
from ftbench.diagnostics import Diagnostic, Place
from ftbench.errors import InvalidInput, MissingResource
from ftbench.spec.canonical import sha256
from ftbench.spec.lock import Lock


def write(compiled: Compiled, root: Path) -> Path:
    """Write to `root/<name>/<version>` and return that folder. A published version with other bytes is never replaced.

    The folder is written whole beside its place and moved there, so a cut leaves the old one or the new one.
    """
    target = root / compiled.folder
    if target.exists() and not target.is_dir():
        raise InvalidInput(Diagnostic(codes.NOT_A_FOLDER, "the output path is not a folder", Place(str(target))))
    if target.is_dir():
        if not drift(compiled, target):
            sweep(target)
            return target
        refuse_published(target)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        write_folder(target, compiled.files)
    except OSError as error:
        raise MissingResource(
            Diagnostic(codes.CANNOT_WRITE, f"cannot write: {error.strerror}", Place(str(error.filename or target)))
        ) from error
    return target


def refuse_published(folder: Path) -> None:
    """Raise InvalidInput if the compiled benchmark in `folder` is published."""
    if status(folder) == "published":
        raise InvalidInput(
            Diagnostic(
                codes.PUBLISHED_DIFFERS,
                "this version is published and never rewritten, and the spec now compiles to other bytes",
                Place(str(folder)),
                hint="give the spec a new `metadata.version`",
            )
        )


def status(folder: Path) -> str | None:
    """`draft` or `published`, as the plan in `folder` says; None where no plan can be read."""
    try:
        plan = json.loads((folder / PLAN).read_bytes())
        return str(plan["metadata"]["status"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def drift(compiled: Compiled, folder: Path) -> list[str]:
    """What differs between `folder` and `compiled`, as unified diffs; empty where nothing does."""
    found = present(folder)
    differences: list[str] = []
    for path in sorted(found | set(compiled.files)):
        if path not in compiled.files:
            differences.append(f"only in {folder}: {path}\n")
        elif path not in found:
            differences.append(f"missing in {folder}: {path}\n")
        else:
            old = (folder / path).read_bytes()
            if old != compiled.files[path]:
                differences.append(_diff(path, old, compiled.files[path]))
    return differences


def read_lock(folder: Path) -> Lock:
    """The lock of the compiled benchmark in `folder`. Raises MissingResource or InvalidInput."""
    path = folder / LOCK_NAME
    if not path.is_file():
        hint = "`ftbench compile SPEC` makes one"
        raise MissingResource(
            Diagnostic(codes.NOT_COMPILED, f"no {LOCK_NAME} in this folder", Place(str(folder)), hint)
        )
    try:
        return Lock.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise InvalidInput(
            Diagnostic(codes.LOCK_BROKEN, f"the lock cannot be read: {error.errors()[0]['msg']}", Place(str(path)))
        ) from error


def check_lock(folder: Path) -> list[str]:
    """Files of `folder` that are not what its own lock says: for published versions, which are never recompiled."""
    lock = read_lock(folder)
    found = present(folder) - {LOCK_NAME}
    wrong = [f"not in the lock: {path}" for path in sorted(found - set(lock.files))]
    for path, digest in sorted(lock.files.items()):
        if path not in found:
            wrong.append(f"missing: {path}")
        elif sha256((folder / path).read_bytes()) != digest:
            wrong.append(f"other bytes: {path}")
    return wrong


def present(folder: Path) -> set[str]:
    """Paths of the files in `folder`; caches that running Python leaves behind do not count."""
    return {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if (path.is_file() or path.is_symlink()) and "__pycache__" not in path.parts
    }


def _diff(path: str, old: bytes, new: bytes) -> str:
    try:
        before, after = old.decode(), new.decode()
    except UnicodeDecodeError:
        return f"other bytes: {path}\n"
    if len(after) > 200_000 or after.count("\n") < 2:  # plan.json is one long line
        return f"other bytes: {path} ({len(old)} → {len(new)} bytes)\n"
    lines = difflib.unified_diff(
        before.splitlines(keepends=True), after.splitlines(keepends=True), f"a/{path}", f"b/{path}"
    )
    return "".join(line if line.endswith("\n") else line + "\n" for line in lines)
