"""Opening a bundle, a folder or an archive, without trusting it.

Everything is read once, within limits, into memory: what is digested is what is parsed later, nothing is ever written
to a disk, and a symbolic link or a device is named but never followed. A hard link is a file like any other: whoever
digests what was read need not care under which other names it lies. Whatever is wrong becomes a `Problem`; opening
raises only where there is nothing to open.
"""

from __future__ import annotations

import os
import stat
import sys
from itertools import islice
from pathlib import Path

from ftbench import codes
from ftbench.diagnostics import Diagnostic, Place
from ftbench.errors import InvalidInput
from ftbench.result import names, tars, zips
from ftbench.result.files import BUNDLE, LIMITS, Bundle, Limits

ARCHIVES = (".zip", ".tar.gz", ".tgz", ".tar")
"""Endings of the archives that are read, in any case."""


Folder = int | str
"""A folder that is being read: its descriptor; its path on Windows, which opens no folder. There a folder that somebody
exchanges while it is read may lead elsewhere: an archive is one file."""


def is_archive(path: Path) -> bool:
    """Whether a path is called as an archive is."""
    return path.name.casefold().endswith(ARCHIVES)


def open_bundle(path: Path, limits: Limits = LIMITS) -> Bundle:
    """Read the bundle at `path`: a folder, a .zip, a .tar.gz or a .tar. Nothing is extracted.

    An archive may hold one folder with the bundle in it. Raises InvalidInput (FTB603) where there is nothing at `path`
    that could be one of them, or a folder that holds a bundle and is none. All else is in `problems`.
    """
    bundle = Bundle(path, limits)
    if path.is_dir():
        _check_folder(path)
        _read_top(bundle)
    elif path.is_file() and is_archive(path):
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            data = file.read(size + 1) if size <= limits.archive_bytes else b""
        if size > limits.archive_bytes:
            bundle.refuse("", f"the archive has more than {limits.archive_bytes} bytes")
        elif len(data) != size:
            bundle.refuse("", "the archive changed while it was read")
        elif path.name.casefold().endswith(".zip"):
            zips.read_zip(bundle, data)
        else:
            tars.read_tar(bundle, data, packed=not path.name.casefold().endswith(".tar"))
    else:
        what = (
            "is neither a folder nor a .zip, .tar.gz or .tar file"
            if path.exists()
            else "there is no such file or folder"
        )
        hint = "a bundle is the folder `bundle/` of a run, or what `ftbench pack` makes of it"
        raise InvalidInput(Diagnostic(codes.NO_BUNDLE, what, Place(str(path)), hint))
    return bundle


def _check_folder(path: Path) -> None:
    """Refuse a folder that has a bundle in it, such as a run's: what is in it besides would be judged with it."""
    if (path / names.MANIFEST).exists():
        return
    if (path / BUNDLE / names.MANIFEST).is_file():
        what, hint = "this is a run's folder, and its bundle lies in it", f"give {path / BUNDLE}"
    elif (path / "run.json").is_file():
        what, hint = "this is the folder of a run that has no bundle yet", f"end it: ftbench run --resume {path}"
    else:
        return
    raise InvalidInput(Diagnostic(codes.NO_BUNDLE, what, Place(str(path)), hint))


def _read_top(bundle: Bundle) -> None:
    try:
        folder = _enter(None, str(bundle.path))
    except OSError as error:
        bundle.refuse("", f"the folder cannot be read: {error.strerror}")
        return
    try:
        _read_folder(bundle, folder, "")
    finally:
        _leave(folder)


def _read_folder(bundle: Bundle, folder: Folder, prefix: str) -> None:
    """Read what lies in this folder. By a descriptor names are looked up in it and in no other, wherever the path leads
    by now."""
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
            if stat.S_ISDIR(info.st_mode) and not _is_link(info):
                if bundle.admits_folder(name):
                    _read_within(bundle, folder, entry.name, name)
            elif why := _not_plain(info):
                bundle.refuse(name, why)
            else:
                _read_file(bundle, folder, entry.name, name)
        except OSError as error:
            bundle.refuse(name, f"cannot be read: {error.strerror}")


def _read_within(bundle: Bundle, folder: Folder, entry: str, name: str) -> None:
    inner = _enter(folder, entry)
    try:
        _read_folder(bundle, inner, name + "/")
    finally:
        _leave(inner)


def _enter(folder: Folder | None, entry: str) -> Folder:
    """A folder that is opened: its descriptor, or its path where none can be had. Raises OSError."""
    if sys.platform == "win32":
        return os.path.join(str(folder), entry) if folder is not None else entry  # noqa: PTH118 - a path as text
    else:
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
        if folder is None:  # the person's own path, which may be a link
            return os.open(entry, flags)
        return os.open(entry, flags | os.O_NOFOLLOW, dir_fd=int(folder))


def _leave(folder: Folder) -> None:
    if isinstance(folder, int):
        os.close(folder)


def _open(folder: Folder, entry: str) -> int:
    """A file's descriptor. Raises OSError."""
    if sys.platform == "win32":
        return os.open(os.path.join(str(folder), entry), os.O_RDONLY | os.O_BINARY)  # noqa: PTH118 - as above
    else:
        return os.open(entry, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=int(folder))


def _is_link(info: os.stat_result) -> bool:
    """A link, or what Windows has beside them: a junction is a folder by its mode."""
    return stat.S_ISLNK(info.st_mode) or bool(
        getattr(info, "st_file_attributes", 0) & stat.FILE_ATTRIBUTE_REPARSE_POINT
    )


def _not_plain(info: os.stat_result) -> str:
    if _is_link(info):
        return "is a symbolic link"
    return "" if stat.S_ISREG(info.st_mode) else "is not a regular file"


def _read_file(bundle: Bundle, folder: Folder, entry: str, name: str) -> None:
    """Read one file: what is judged and what is read are one descriptor's."""
    with os.fdopen(_open(folder, entry), "rb") as file:
        info = os.fstat(file.fileno())
        if why := _not_plain(info):
            bundle.refuse(name, why)
        elif bundle.admits(name, info.st_size):
            content = file.read(info.st_size + 1)
            if len(content) != info.st_size:
                bundle.refuse(name, "changed while it was read")
            else:
                bundle.add(name, content)
