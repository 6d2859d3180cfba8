"""Opening a bundle, a folder or an archive, without trusting it.

Everything is read once, within limits, into memory: what is digested is what is parsed later, nothing is ever written
to a disk, and a symbolic link or a device is named but never followed. A hard link is a file like any other: whoever
digests what was read need not care under which other names it lies. Whatever is wrong becomes a `Problem`; opening
raises only where there is nothing to open.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import ftbench.result.codes  # noqa: F401  (registers the codes)
from ftbench.diagnostics import Diagnostic, Place, printable
from ftbench.errors import InvalidInput
from ftbench.result import names

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


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a file of a bundle was not read."""

    name: str
    """What the bundle calls it; from outside, so print it only through `printable`."""
    why: str

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
    folded: set[str] = field(default_factory=set)
    """Names of `files` as a file system without case takes them."""

    def refuse(self, name: str, why: str) -> None:
        """Note that `name` was refused."""
        if len(self.problems) < 1_000:
            self.problems.append(Problem(name, why))

    def admits(self, name: str, size: int) -> bool:
        """Whether a regular file of this name and size may be read; notes the problem where it may not."""
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
        if not known:
            self.refuse(name, "is a folder that a bundle does not have")
        return known

    def add(self, name: str, content: bytes) -> None:
        """Take in a file that `admits` let pass."""
        self.files[name] = content
        self.folded.add(name.casefold())
        self.total += len(content)

    def __contains__(self, name: str) -> bool:
        return name in self.files

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self.files))


def open_bundle(path: Path, limits: Limits = LIMITS) -> Bundle:
    """Read the bundle at `path`: a folder, a .zip or a .tar.gz. Nothing is extracted.

    Raises InvalidInput (FTB603) where there is nothing at `path` that could be one of them. All else is in `problems`.
    """
    bundle = Bundle(path, limits)
    if path.is_dir():
        _read_top(bundle)
    elif path.is_file() and path.name.endswith((".zip", ".tar.gz", ".tgz")):
        from ftbench.result import tars, zips

        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            data = file.read(size + 1) if size <= limits.archive_bytes else b""
        if size > limits.archive_bytes:
            bundle.refuse("", f"the archive has more than {limits.archive_bytes} bytes")
        elif len(data) != size:
            bundle.refuse("", "the archive changed while it was read")
        elif path.name.endswith(".zip"):
            zips.read_zip(bundle, data)
        else:
            tars.read_tar(bundle, data)
    else:
        what = "is neither a folder nor a .zip or .tar.gz file" if path.exists() else "there is no such file or folder"
        hint = "a bundle is the folder `bundle/` of a run, or what `ftbench pack` makes of it"
        raise InvalidInput(Diagnostic("FTB603", what, Place(str(path)), hint))
    return bundle


def _read_top(bundle: Bundle) -> None:
    try:
        folder = os.open(bundle.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        bundle.refuse("", f"the folder cannot be read: {error.strerror}")
        return
    try:
        _read_folder(bundle, folder, "")
    finally:
        os.close(folder)


def _read_folder(bundle: Bundle, folder: int, prefix: str) -> None:
    """Read what lies in the folder of this descriptor. Names are looked up in it and in no other, wherever the path
    leads by now."""
    try:
        with os.scandir(folder) as found:
            entries = sorted(islice(found, bundle.limits.members + 1), key=lambda entry: entry.name)
    except OSError as error:
        bundle.refuse(prefix, f"cannot be read: {error.strerror}")
        return
    if len(entries) > bundle.limits.members:
        bundle.refuse(prefix, f"holds more than {bundle.limits.members} names")
        return
    for entry in entries:
        name = prefix + entry.name
        try:
            # Before it is opened: opening a device may move it.
            info = entry.stat(follow_symlinks=False)
            if stat.S_ISDIR(info.st_mode):
                if bundle.admits_folder(name):
                    _read_within(bundle, folder, entry.name, name)
            elif why := _not_plain(info):
                bundle.refuse(name, why)
            else:
                _read_file(bundle, folder, entry.name, name)
        except OSError as error:
            bundle.refuse(name, f"cannot be read: {error.strerror}")


def _read_within(bundle: Bundle, folder: int, entry: str, name: str) -> None:
    inner = os.open(entry, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
    try:
        _read_folder(bundle, inner, name + "/")
    finally:
        os.close(inner)


def _not_plain(info: os.stat_result) -> str:
    if stat.S_ISLNK(info.st_mode):
        return "is a symbolic link"
    return "" if stat.S_ISREG(info.st_mode) else "is not a regular file"


def _read_file(bundle: Bundle, folder: int, entry: str, name: str) -> None:
    """Read one file: what is judged and what is read are one descriptor's."""
    descriptor = os.open(entry, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    with os.fdopen(descriptor, "rb") as file:
        info = os.fstat(file.fileno())
        if why := _not_plain(info):
            bundle.refuse(name, why)
        elif bundle.admits(name, info.st_size):
            content = file.read(info.st_size + 1)
            if len(content) != info.st_size:
                bundle.refuse(name, "changed while it was read")
            else:
                bundle.add(name, content)
