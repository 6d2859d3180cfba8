"""A bundle in memory: its files, what is wrong with it, and how much of it is read at most."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from ftbench.diagnostics import printable
from ftbench.result import names

BUNDLE = "bundle"
"""The folder of a run that is its bundle."""
SMALL = 2**20
"""Bytes from which the ratio of packed to unpacked size is looked at."""


class Malformed(Exception):
    """Why an archive is not read at all; goes on from `the tar …` or `the zip …`."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What is read at most."""

    files: int = 2_000
    """Files in a bundle."""
    file_bytes: int = 2**30
    """Bytes of the adapter."""
    other_bytes: int = 2**27
    """Bytes of any other file."""
    total_bytes: int = 2**31
    """Bytes of all files together."""
    archive_bytes: int = 2**31
    """Bytes of an archive."""
    ratio: int = 200
    """Times that a file in an archive may be larger than its packed form (files under 1 MiB may be more)."""

    @property
    def members(self) -> int:
        """What is looked at, files and all else."""
        return 2 * self.files

    def of(self, name: str) -> int:
        """Bytes of the file of this name."""
        return self.file_bytes if name == names.ADAPTER else min(self.file_bytes, self.other_bytes)


LIMITS = Limits()


LITTER = "delete it, or hand in what `ftbench pack` makes, which leaves it out"
"""The way out for what a desktop has put beside a bundle's files."""


def litter(name: str) -> str:
    """What a desktop's own file is, with the way out; empty for any other name."""
    parts = name.rstrip("/").split("/")
    if "__MACOSX" in parts or parts[-1].startswith("._"):
        return f"holds attributes of files that macOS adds to an archive: {LITTER}"
    if parts[-1] == ".DS_Store":
        return f"is how macOS's Finder shows the folder: {LITTER}"
    if parts[-1].casefold() in ("thumbs.db", "desktop.ini"):
        return f"is how the Explorer of Windows shows the folder: {LITTER}"
    return ""


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a file of a bundle was not read."""

    name: str
    """What the bundle calls it; from outside, so print it only through `printable`."""
    why: str
    litter: bool = False
    """Whether it is a desktop's own file, and nobody's who made the bundle."""

    def __str__(self) -> str:
        return f"`{printable(self.name)[:120]}` {self.why}" if self.name else self.why


@dataclass(frozen=True, slots=True)
class Member:
    """What an archive holds in one place."""

    name: str
    size: int
    """Bytes, unpacked. Only a regular file has any."""
    begin: int
    """Where its content begins in the archive."""
    folder: bool = False
    refused: str = ""
    """Why it is not read, whatever its name."""


def below_top(members: list[Member]) -> list[Member]:
    """The members as they are called below the one folder that all of them lie in, if there is such a folder.

    Who packs a folder rather than what is in it makes such an archive. A bundle's own folders are no such folder, and
    what a desktop adds beside it does not count. Raises Malformed for the archive of a run's whole folder.
    """
    found = {_top(member) for member in members if not litter(member.name)}
    top = found.pop() if len(found) == 1 else ""
    if top and top not in ("/", "./", "../") and top.removesuffix("/") not in names.FOLDERS:
        taken = [replace(member, name=member.name.removeprefix(top)) for member in members]
        members = [member for member in taken if member.name]
    if any(member.name == f"{BUNDLE}/{names.MANIFEST}" for member in members):
        raise Malformed(f"is of a run's whole folder: hand in its `{BUNDLE}/` alone, which `ftbench pack RUN` makes")
    return members


def _top(member: Member) -> str:
    """`bundle/` for what is in a folder at the top, and for it itself; empty for a file there."""
    top, slash, _ = member.name.partition("/")
    return top + slash if slash else ""


@dataclass
class Bundle:
    """A bundle's files as they were when it was opened."""

    path: Path
    """Folder or archive that it came from."""
    limits: Limits = LIMITS
    files: dict[str, bytes] = field(default_factory=dict)
    """Path inside the bundle → content, for every file that is safe to have read."""
    problems: list[Problem] = field(default_factory=list)
    """What was refused, in the order of the bundle."""
    total: int = 0
    """Bytes of `files`."""
    asked: int = 0
    """Bytes let pass by `admits`, whether or not they turned out to be what they should: each costs its reading."""
    left_out: set[str] = field(default_factory=set)
    """Files that the manifest names and whoever opened the bundle did not bring."""
    folded: set[str] = field(default_factory=set)
    """Names of `files` as a file system without case takes them."""

    def refuse(self, name: str, why: str) -> None:
        """Note that `name` was refused."""
        if len(self.problems) < 1_000:
            self.problems.append(Problem(name, why))

    def is_litter(self, name: str) -> bool:
        """Whether a file or folder is a desktop's own; notes it, a `__MACOSX` with all that it holds once."""
        why = litter(name)
        if why:
            before, macos, _ = name.partition("__MACOSX")
            problem = Problem(before + macos if macos else name, why, litter=True)
            if problem not in self.problems and len(self.problems) < 1_000:
                self.problems.append(problem)
        return bool(why)

    def admits(self, name: str, size: int) -> bool:
        """Whether a regular file of this name and size may be read; notes the problem where it may not."""
        if self.is_litter(name):
            return False
        if not names.is_safe(name):
            self.refuse(name, "is not a safe name: relative, of letters, digits, `.`, `_`, `-` and `/`")
        elif name in self.files:
            self.refuse(name, "is in the bundle twice")
        elif name.casefold() in self.folded:
            self.refuse(name, "differs from another file's name in case only")
        elif len(self.files) >= self.limits.files:
            self.refuse(name, f"is one file too many: at most {self.limits.files} are read")
        elif size > (most := self.limits.of(name)):
            self.refuse(name, f"has {size} bytes: at most {most} are read")
        elif self.asked + size > self.limits.total_bytes:
            self.refuse(name, f"makes the bundle larger than {self.limits.total_bytes} bytes")
        else:
            self.asked += size
            return True
        return False

    def admits_folder(self, name: str) -> bool:
        """Whether a folder of this name may be there; notes the problem where it may not."""
        known = name in names.FOLDERS
        if not known and not self.is_litter(name):
            self.refuse(name, "is a folder that a bundle does not have")
        return known

    def add(self, name: str, content: bytes) -> None:
        """Take in a file that `admits` let pass."""
        self.files[name] = content
        self.folded.add(name.casefold())
        self.total += len(content)

    def content(self) -> str:
        """Digest of every name with its bytes: what was read, whatever a manifest says."""
        whole = hashlib.sha256()
        for name in self:
            whole.update(json.dumps([name, hashlib.sha256(self.files[name]).hexdigest()]).encode() + b"\n")
        return whole.hexdigest()

    def __contains__(self, name: str) -> bool:
        return name in self.files

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self.files))
