"""What every reader of a format takes, and how it refuses a file."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from ftbench import codes
from ftbench.diagnostics import Diagnostic, Place
from ftbench.errors import MissingResource

POINTER = b"version https://git-lfs"
FETCH = "`git lfs pull` in its repository fetches it"
LOOK = "look at the source's `format` and `files`"
PACKED = (
    (re.compile(rb"\x1f\x8b"), "gzip", "`gunzip`"),
    (re.compile(rb"\x28\xb5\x2f\xfd"), "zstd", "`zstd -d`"),
    (re.compile(rb"BZh[1-9]1AY&SY"), "bzip2", "`bunzip2`"),
    (re.compile(rb"\xfd7zXZ\x00"), "xz", "`unxz`"),
    (re.compile(rb"PK\x03\x04"), "zip", "`unzip`; of a workbook: save its sheet as CSV UTF-8"),
)
"""How a compressed file begins, as no text of UTF-8 without control characters does; its name; what unpacks it."""
MAX_ROWS = 20_000_000
"""Most rows of a source."""


@dataclass(frozen=True, slots=True)
class DataFile:
    """A file on this disk, and what it is called in messages."""

    path: Path
    name: str
    encoding: str = LOOK
    """What to do where it is not UTF-8."""

    def whole(self) -> None:
        """Raise MissingResource (FTB332) for what Git LFS leaves where a file was not fetched: three lines about it."""
        if is_pointer(self.path):
            raise self.refused("it is a pointer of Git LFS, not the file itself", hint=FETCH)

    def text(self) -> str:
        """The content of a text file, without a byte order mark. Raises MissingResource (FTB332) for a compressed file,
        and with the line of what is not UTF-8 or a NUL, which no text has: it is the mark of UTF-16 and of damage."""
        data = self.path.read_bytes()
        if (found := packing(data)) is not None:
            name, tool = found
            raise self.refused(f"it is compressed, by {name}", hint=f"unpack it first: {tool}")
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            # The codec counts from behind a byte order mark, and before it all is UTF-8.
            before = error.object[: error.start].decode("utf-8")
            raise self.refused("not UTF-8", *position(before, len(before)), self.encoding) from error
        if (at := text.find("\0")) >= 0:
            raise self.refused("a NUL character", *position(text, at), self.encoding)
        return text

    def refused(self, detail: str, line: int = 0, column: int = 0, hint: str = LOOK) -> MissingResource:
        """The error (FTB332) for a file that is not what its format says, at a place counted from 1."""
        where = f" in line {line}" if line else ""
        message = f"the file cannot be read: {detail}{where}"
        return MissingResource(Diagnostic(codes.UNREADABLE, message, Place(self.name, line, column), hint))

    def counted(self, rows: int) -> None:
        """Raise MissingResource (FTB335) for more rows than are read: a number that a file says of itself, looked at
        before anything is made of it."""
        if rows > MAX_ROWS:
            message = f"the file says that it has {rows:,} rows, and {MAX_ROWS:,} are read"
            raise MissingResource(Diagnostic(codes.DATA_TOO_LARGE, message, Place(self.name)))


def packing(data: bytes) -> tuple[str, str] | None:
    """By what a file is compressed that should be a text, and what unpacks it; None where it is not."""
    return next(((name, tool) for begin, name, tool in PACKED if begin.match(data)), None)


def is_pointer(path: Path) -> bool:
    """Whether a file is what Git LFS leaves in its place."""
    with path.open("rb") as file:
        return file.read(len(POINTER)) == POINTER


def position(text: str, at: int) -> tuple[int, int]:
    """Line and column of a character, both counted from 1."""
    return text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at)
