"""Rows of files beside the spec: where they may lie, which they are, and whether they are still those that were locked.

A path is relative to the folder of the file that names it, and stays in that spec's tree: what somebody else's spec
names can never be read from elsewhere on this disk.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Sequence
from pathlib import Path

from ftbench import codes
from ftbench.data.digests import file_sha256
from ftbench.data.formats.base import DataFile
from ftbench.data.loaded import Beside, Loaded, describe
from ftbench.data.shaping import check_files, shape
from ftbench.data.table import Row
from ftbench.diagnostics import Diagnostic, did_you_mean
from ftbench.errors import InvalidInput, MissingResource
from ftbench.spec import extends
from ftbench.spec.load import LoadedSpec
from ftbench.spec.model import FileSource
from ftbench.spec.pins import SourcePin
from ftbench.spec.yaml import shown

ARCHIVE = "whoever has the rows gives them in an archive: `ftbench data export SPEC`, then `ftbench data add ARCHIVE`"
ENCODING = "text is UTF-8; of a file from Windows: `iconv -f CP1252 -t UTF-8 OLD > NEW` (UTF-16: `-f UTF-16`)"


def beside(loaded: LoadedSpec) -> dict[str, Beside]:
    """Key of each source in the pins → where its paths begin: at the file in which its `files` stand, which may be one
    that the spec extends."""
    paths = {"train": "data.source.files"}
    paths |= {f"task:{one.name}": f"evaluation.tasks.{one.name}.source.files" for one in loaded.spec.evaluation.tasks}
    found = {}
    for key, path in paths.items():
        place = loaded.place(path)
        file = (Path(place.file) if place else loaded.path).absolute()
        found[key] = Beside(file.parent, extends.tree(file))
    return found


def load(source: FileSource, where: Beside) -> Loaded:
    """Rows of the files that `source` names.

    Raises MissingResource (FTB328 empty, FTB330 no such file, FTB332 unreadable, FTB335 too large, FTB346),
    InvalidInput (FTB311 for a path that leaves the spec's tree, FTB331, FTB333, FTB334, FTB336, FTB337, FTB339).
    """
    what = describe(source)
    found = find(source, where)
    check_files(source, {name: path.stat().st_size for name, path in found.items()}, what)
    if empty := [name for name, path in found.items() if not path.stat().st_size]:
        hint = "write the rows into it, or take it out of `files`"
        raise MissingResource(Diagnostic(codes.NO_ROWS, f"`{empty[0]}` is empty: it has no bytes", hint=hint))
    before = {name: file_sha256(path) for name, path in found.items()}
    files = [DataFile(path, shown(path), ENCODING) for path in found.values()]
    table = shape(source, files, what)
    if changed := [name for name, path in found.items() if file_sha256(path) != before[name]]:
        message = f"`{changed[0]}` changed while it was read"
        raise MissingResource(Diagnostic(codes.OTHER_FILE, message, hint="run the command again when it is whole"))
    return Loaded(table, source.licence or "unknown", files=before)


def find(source: FileSource, where: Beside) -> dict[str, Path]:
    """Path relative to the spec → the file, of all that `files` names, each once, in its order.

    Raises FTB311, FTB330.
    """
    found: dict[str, Path] = {}
    for pattern in source.files:
        for name in _named(pattern, where):
            found.setdefault(name, _checked(name, where))
    return found


def changed(source: FileSource, pin: SourcePin, where: Beside) -> list[str]:
    """Names of files that are here with another content than when they were locked; what is not here says nothing."""
    wrong = []
    for name, digest in (pin.files or {}).items():
        try:
            path = _checked(name, where)
            if file_sha256(path) != digest:
                wrong.append(name)
        except (MissingResource, InvalidInput, OSError):
            continue
    return wrong


def left_behind(key: str, rows: Sequence[Row]) -> list[Diagnostic]:
    """Warnings for what programs of Windows leave inside values, which a model would learn and be asked: a carriage
    return, and a byte order mark at a value's beginning, by which files that were put one behind the other are told.
    What ends a line of the file, or begins the file, is no part of a value."""
    ends: dict[str, list[int]] = {}
    marks: dict[str, list[int]] = {}
    for number, row in enumerate(rows):
        for name, value in row.items():
            if not isinstance(value, str):
                continue
            if "\r" in value:
                ends.setdefault(name, []).append(number)
            if value.startswith("\ufeff"):
                marks.setdefault(name, []).append(number)
    plain = "they become part of prompts and answers; to have plain ones, mend the file and lock again"
    joined = "files put one behind the other? name each in `files`; rows may be headers of the later ones"
    return [
        *(_left(codes.CARRIAGE_RETURN, key, rows, one, ("line ends of Windows in", plain)) for one in ends.items()),
        *(_left(codes.INNER_MARK, key, rows, one, ("a byte order mark before", joined)) for one in marks.items()),
    ]


def _left(code: str, key: str, rows: Sequence[Row], where: tuple[str, list[int]], words: tuple[str, str]) -> Diagnostic:
    (name, found), (what, hint) = where, words
    message = (
        f"`{key}`: {len(found):,} of {len(rows):,} rows hold {what} column `{name}`, "
        f"the first is row {found[0]} (from 0)"
    )
    return Diagnostic(code, message, hint=hint, severity="warning")


def _named(pattern: str, where: Beside) -> list[str]:
    """Names that a path or shell pattern stands for."""
    if not any(sign in pattern for sign in "*?"):
        return [pattern]
    while "**" in pattern:
        pattern = pattern.replace("**", "*")
    glob = pattern.replace("[", "[[]")
    if ".." in Path(pattern).parts:
        raise _outside(pattern, where, "a path with `*` or `?` goes down only")
    found = sorted(path.relative_to(where.folder).as_posix() for path in where.folder.glob(glob))
    if not found:
        raise _missing(pattern, where, "no file matches it")
    return found


def _checked(name: str, where: Beside) -> Path:
    """The file of that name. Raises FTB311 for one outside the tree, FTB330 for none, or what is no file."""
    path = where.folder / name
    if not Path(os.path.normpath(path)).is_relative_to(where.tree) and not _below(path, where):
        raise _outside(name, where, "")
    detail = ""
    try:
        there = path.exists()
        if not there and path.is_symlink():
            detail = f"a link that leads to nothing, {path.readlink()}"
    except (OSError, ValueError):  # a name that is too long for the file system, or has a NUL in it
        there = False
    if not there:
        raise _missing(name, where, detail)
    if not _below(path, where):
        raise _outside(name, where, f"a symbolic link leads to {path.resolve()}")
    mode = path.stat().st_mode
    if stat.S_ISDIR(mode):
        inside = sorted(one.name for one in path.iterdir() if one.is_file())[:3]
        hint = f"name the files in it, such as `{name.rstrip('/')}/{inside[0] if inside else '*.jsonl'}`"
        raise MissingResource(Diagnostic(codes.NO_FILE, f"`{name}` is a folder", hint=hint))
    if not stat.S_ISREG(mode):
        hint = "name a file with rows in it; a device or a pipe gives other bytes each time"
        raise MissingResource(Diagnostic(codes.NO_FILE, f"`{name}` is no regular file", hint=hint))
    if not os.access(path, os.R_OK):
        message = f"`{name}` cannot be read: {os.strerror(errno.EACCES)}"
        raise MissingResource(Diagnostic(codes.NO_FILE, message, hint=f"`chmod +r {shown(path)}`, or ask its owner"))
    return path


def _below(path: Path, where: Beside) -> bool:
    try:  # realpath, since Path.resolve raises what it likes of links in a circle
        return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(where.tree))
    except ValueError:
        return False


def _listing(folder: Path, where: Beside) -> list[Path]:
    """What lies in a folder of the spec's tree; nothing of one that a link leads to elsewhere."""
    try:
        return list(folder.iterdir()) if _below(folder, where) else []
    except (OSError, ValueError):
        return []


def _outside(name: str, where: Beside, detail: str) -> InvalidInput:
    message = f"`{name}` leaves the spec's folder tree {where.tree}" + (f": {detail}" if detail else "")
    hint = "put the data below that folder, or the spec above the data: a spec reads nothing else on this disk"
    return InvalidInput(Diagnostic(codes.FILE_OUTSIDE, message, hint=hint))


def _missing(name: str, where: Beside, detail: str) -> MissingResource:
    folder = (where.folder / name).parent
    others = [one.name for one in _listing(folder, where) if one.name != Path(name).name]
    near = did_you_mean(Path(name).name, others)
    message = f"there is no file `{name}` beside the spec, in {shown(where.folder)}" + (f": {detail}" if detail else "")
    return MissingResource(Diagnostic(codes.NO_FILE, message, hint="; ".join(part for part in (near, ARCHIVE) if part)))
