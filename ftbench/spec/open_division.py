"""The open division's modules: read from beside the entry, never imported, known by their digests."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from ftbench import codes
from ftbench.diagnostics import Diagnostic
from ftbench.errors import InvalidInput
from ftbench.spec.canonical import sha256
from ftbench.spec.entry import Entry, OpenCode
from ftbench.spec.problems import Problem
from ftbench.spec.yaml import Document

KINDS = ("strategy", "client")
"""What an entry may bring."""
MAX_BYTES = 2**18
"""Largest module, in bytes."""


def read(entry: Entry, document: Document | None) -> dict[str, bytes]:
    """Kind → bytes of the module, for those that the entry names. `document`: the entry's file.

    Raises InvalidInput (FTB230) with every problem found: a path that leaves the entry's folder, a file that is not
    there, is no text or too large, or no module at all.
    """
    found: list[Diagnostic] = []
    modules = {}
    named = {kind: path for kind in KINDS if entry.open and (path := getattr(entry.open, kind)) is not None}
    if not named:
        message = "`open` names neither a strategy nor a client"
        found.append(Problem(codes.OPEN_CODE, ("open",), message, "leave it out: the closed division").at(document))
    folder = Path(document.spots[()].file).parent if document else Path()
    for kind, text in named.items():
        got = _module(folder, text)
        if isinstance(got, bytes):
            modules[kind] = got
        else:
            found.append(Problem(codes.OPEN_CODE, ("open", kind), f"`open.{kind}`: {got}").at(document))
    if found:
        raise InvalidInput(found)
    return modules


def digests(modules: dict[str, bytes]) -> OpenCode:
    """The modules as the resolved entry has them."""
    return OpenCode(**{kind: sha256(data) for kind, data in modules.items()})


def _module(folder: Path, text: str) -> bytes | str:
    """The file's bytes, or what is wrong with it."""
    path = PurePosixPath(text)
    if path.is_absolute() or ".." in path.parts or "\\" in text or path.suffix != ".py":
        return f"`{text}` is not the relative path of a .py file, with forward slashes and without `..`"
    place = folder / path
    if folder.resolve() not in place.resolve().parents:
        return f"`{text}` leads out of the entry's folder"
    try:
        data = place.read_bytes()
    except OSError as error:
        return f"`{text}` cannot be read: {error.strerror}"
    return check_source(data) or data


def check_source(data: bytes) -> str:
    """What is wrong with a module's bytes; empty: nothing. It is not compiled, let alone run."""
    if len(data) > MAX_BYTES:
        return f"it has {len(data)} bytes, at most {MAX_BYTES} are allowed"
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return "it is not UTF-8 text"
    return "it holds a NUL character" if "\0" in text else ""
