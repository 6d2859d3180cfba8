"""Reading .tar.gz bundles, members one by one into memory, within the bundle's limits.

By one parser alone. Where one judges the headers and the standard library's reads them, a cheat needs only a member
whose end the two see in different places: between these lies what nobody has judged.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from ftbench.errors import InvalidInput
from ftbench.result import samples
from ftbench.result.files import SMALL, Bundle, Malformed, Member, below_top

MAX_EXTRA = 4_096
"""Largest extended header that is read, in bytes."""
MAX_EXTENDED = 2**20
"""Bytes of all extended headers together: a record in one takes five, and each its time."""
_BLOCK = 512
_CHECKSUM = slice(148, 156)
_REGULAR = (b"0", b"\0")
_FOLDER = b"5"
_EXTENDED = {b"x": "pax", b"X": "pax", b"g": "global pax", b"L": "long name", b"K": "long link name"}
"""Types of members that tell of the next one. A member has one of each at most, so their number is bounded as well."""
_OTHER = {b"1": "is a hard link: `tar --hard-dereference` packs the file itself", b"2": "is a symbolic link"}
_SHIFTING = (b"size", b"GNU.", b"SCHILY.realsize")
"""Beginnings of pax keys by which a member has another size than its header says; no bundle is large enough for one."""


def read_tar(bundle: Bundle, data: bytes, *, packed: bool = True) -> None:
    """Take the members of a .tar.gz into `bundle`: plain files only, and nothing at all where the tar is malformed.

    `packed=False`: a .tar that is not gzipped.
    """
    try:
        # A member has a header, padding and seldom an extended header of a block or two.
        limit = bundle.limits.total_bytes + 2_048 * bundle.limits.files
        most = min(limit, max(SMALL, bundle.limits.ratio * len(data)))
        unpacked = samples.gunzip(data, str(bundle.path), most) if packed else data
        named = [_plain(member) for member in _members(unpacked, bundle.limits.members)]
        members = below_top([member for member in named if member.name])
    except InvalidInput as error:
        bundle.refuse("", f"the archive {error.diagnostics[0].message}")
        return
    except Malformed as error:
        bundle.refuse("", f"the tar {error}")
        return
    for member in members:
        name = member.name
        if member.folder:
            bundle.admits_folder(name.removesuffix("/"))
        elif member.refused:
            bundle.refuse(name, member.refused)
        elif bundle.admits(name, member.size):
            bundle.add(name, unpacked[member.begin : member.begin + member.size])


def _plain(member: Member) -> Member:
    """The member without the `./` that `tar .` begins names with, and with a slash behind a folder's."""
    name = member.name.removeprefix("./")
    if member.folder:
        name = name.removesuffix("/") + "/" if name not in ("", ".", "./") else ""
    return replace(member, name=name)


@dataclass
class _Extended:
    """What extended headers say of the next member."""

    kinds: set[bytes] = field(default_factory=set)
    path: bytes | None = None
    """Of a pax header, which goes before one of GNU's."""
    long_name: bytes | None = None

    def take(self, kind: bytes, body: bytes) -> None:
        """Add a header of this kind. Raises Malformed."""
        told = _EXTENDED[kind]
        if kind in self.kinds:
            raise Malformed(f"has two {told} headers for one member")
        self.kinds.add(kind)
        if kind == b"L":
            self.long_name = body.partition(b"\0")[0]
        elif kind != b"K":
            for key, value in _records(body):
                if key.startswith(_SHIFTING):
                    raise Malformed(f"has a {told} header that gives a member another size than its own header")
                if key == b"path":
                    if kind == b"g":
                        raise Malformed("has a global pax header that names every member alike")
                    self.path = value


def _members(data: bytes, most: int) -> Iterator[Member]:
    """The members, of which no more than `most` are read. Raises Malformed."""
    position, number, extended, told = 0, 0, 0, _Extended()
    while any(block := data[position : position + _BLOCK]):
        if len(block) < _BLOCK:
            raise Malformed("is cut short")
        kind, size = block[156:157], _octal(block[124:136])
        if sum(block) - sum(block[_CHECKSUM]) + 8 * ord(" ") != _octal(block[_CHECKSUM]):
            raise Malformed("has a header with a wrong checksum")
        begin = position + _BLOCK
        position = begin + -(-size // _BLOCK) * _BLOCK
        if position > len(data):
            raise Malformed("is cut short")
        if kind in _EXTENDED:
            extended += size
            if size > MAX_EXTRA:
                raise Malformed(f"has an extended header of more than {MAX_EXTRA} bytes")
            if extended > MAX_EXTENDED:
                raise Malformed(f"has more than {MAX_EXTENDED} bytes of extended headers")
            told.take(kind, data[begin : begin + size])
            continue
        number += 1
        if number > most:
            raise Malformed("has more members than are read")
        yield _member(block, size, begin, told)
        told = _Extended()
    if not block or data.count(b"\0", position) != len(data) - position:
        raise Malformed("has no end" if not block else "has something after its end")
    if told.kinds:
        raise Malformed("ends with an extended header, which is of no member")


def _member(block: bytes, size: int, begin: int, told: _Extended) -> Member:
    kind = block[156:157]
    raw = told.path if told.path is not None else told.long_name if told.long_name is not None else _name(block)
    name = raw.decode("utf-8", "replace")
    # Before there was a type for folders, the name's last character told them.
    folder = kind == _FOLDER or (kind == b"\0" and name.endswith("/"))
    regular = kind in _REGULAR and not folder
    if size and not regular:
        raise Malformed("has a member with a size that is no regular file")
    refused = "" if regular or folder else _OTHER.get(kind, "is not a regular file")
    return Member(name, size, begin, folder=folder, refused=refused)


def _name(block: bytes) -> bytes:
    """The name in a header. What stands where POSIX has a prefix, GNU uses for times."""
    name = block[:100].partition(b"\0")[0]
    prefix = block[345:500].partition(b"\0")[0] if block[257:263] == b"ustar\0" else b""
    return prefix + b"/" + name if prefix else name


def _octal(text: bytes) -> int:
    """A number in a header. There are other forms, for numbers that are negative or larger than any bundle's."""
    digits = text.strip(b" \0")
    if not re.fullmatch(rb"[0-7]*", digits):
        raise Malformed("has a header with a number that is not written in octal digits")
    return int(digits or b"0", 8)


def _records(body: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Keyword and value of each record of a pax header, `LENGTH KEYWORD=VALUE\\n`. Raises Malformed."""
    position = 0
    while position < len(body):
        blank = body.find(b" ", position, position + 6)
        length = body[position:blank] if blank > 0 else b""
        end = position + int(length) if length.isdigit() else 0
        key, equals, value = body[blank + 1 : end - 1].partition(b"=")
        if not blank < end <= len(body) or body[end - 1 : end] != b"\n" or not equals:
            raise Malformed("has a pax header that is malformed")
        yield key, value
        position = end
