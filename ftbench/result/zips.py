"""Reading .zip bundles, members one by one into memory, within the bundle's limits.

By one parser alone, and that reads the directory: what it says of a member must be what stands before the member, and
members lie one behind the other from the first byte to the directory. So nothing hides between them, and no byte is
unpacked twice.
"""

from __future__ import annotations

import stat
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from ftbench.result.files import SMALL, Bundle, Malformed, Member, below_top

MAX_DIRECTORY = 2**20
"""Largest central directory that is read, in bytes: about 10,000 members."""
MAX_EXTRA = 4_096
"""Most bytes of extra fields and comment of one member, in either of its headers."""
STORED, DEFLATED = 0, 8
"""Methods of packing that are read."""
_END = struct.Struct("<4s4H2LH")
_CENTRAL = struct.Struct("<4s6H3L5H2L")
_LOCAL = struct.Struct("<4s5H3L2H")
_ENCRYPTED = 0x1 | 0x40 | 0x2000
_STREAMED = 0x8
"""Flag of a member written before its size was known: that follows it."""
_DESCRIPTORS = (0, 12, 16, 20, 24)
"""Bytes that may follow such a member: with or without a signature, sizes of 4 or 8 bytes."""
_NOTHING = 2
"""Bytes of nothing, deflated, as some pack a folder."""
_ZIP64 = 0xFFFFFFFF
"""Stands for a number that is in an extra field."""


@dataclass(frozen=True, slots=True)
class _Entry:
    """A member as the directory has it."""

    name: bytes
    flags: int
    method: int
    crc: int
    packed: int
    size: int
    mode: int
    offset: int


def read_zip(bundle: Bundle, data: bytes) -> None:
    """Take the members of a zip into `bundle`: plain files, stored or deflated, not encrypted, no comment, no zip64.

    Nothing at all is taken where the zip is malformed.
    """
    if len(data) < _END.size or data[-_END.size :][:4] != b"PK\5\6" or data[-2:] != b"\0\0":
        why = "the zip has a comment, which a bundle's has not: `zip -z` with an empty one takes it off"
        bundle.refuse("", why if _commented(data) else "the file is not a zip, or has something after its end")
        return
    try:
        entries = list(_entries(data, bundle.limits.members))
        ratio = bundle.limits.ratio
        begins = _begins(data, entries)
        members = [_member(entry, begin, ratio) for entry, begin in zip(entries, begins, strict=True)]
        if sum(member.size for member in members if not member.refused) > max(SMALL, ratio * len(data)):
            raise Malformed(f"unpacks to more than {ratio} times its size")
        members = below_top(members)
    except Malformed as error:
        bundle.refuse("", f"the zip {error}")
        return
    packed = {begin: entry for entry, begin in zip(entries, begins, strict=True)}
    for member in members:
        if member.folder:
            bundle.admits_folder(member.name.removesuffix("/"))
        elif member.refused:
            bundle.refuse(member.name, member.refused)
        elif bundle.admits(member.name, member.size):
            content = _content(data, packed[member.begin], member.begin)
            if content is None:
                bundle.refuse(member.name, "cannot be unpacked to what the zip says of it")
            else:
                bundle.add(member.name, content)


def _commented(data: bytes) -> bool:
    """Whether a zip ends with a comment, and that with the file."""
    end = data.rfind(b"PK\5\6", -_END.size - 2**16)
    return end >= 0 and len(data) - end > _END.size and end + _END.size + _END.unpack_from(data, end)[-1] == len(data)


def _entries(data: bytes, most: int) -> Iterator[_Entry]:
    """The members in the order of the directory, of which no more than `most` are read. Raises Malformed."""
    _, disk, first, here, count, length, start, _ = _END.unpack_from(data, len(data) - _END.size)
    if data[-_END.size - 20 : -_END.size].startswith(b"PK\6\7") or _ZIP64 in (length, start):
        raise Malformed("is in zip64 form, which a bundle never needs")
    if disk or first or here != count:
        raise Malformed("is a part of several")
    if length > MAX_DIRECTORY:
        raise Malformed(f"has a directory of more than {MAX_DIRECTORY} bytes")
    if count > most:
        raise Malformed("has more members than are read")
    if start + length + _END.size != len(data):
        raise Malformed("has bytes that belong to no member")
    position, end = start, start + length
    for _ in range(count):
        if position + _CENTRAL.size > end:
            raise Malformed("has a directory that is cut short")
        found = _CENTRAL.unpack_from(data, position)
        signature, flags, method, crc, packed, size = found[0], found[3], found[4], *found[7:10]
        named, extra, comment, attributes, offset = *found[10:13], found[15], found[16]
        begin, position = position + _CENTRAL.size, position + _CENTRAL.size + named + extra + comment
        if signature != b"PK\1\2" or position > end:
            raise Malformed("has a directory that is malformed")
        if extra + comment > MAX_EXTRA:
            raise Malformed(f"has a member with more than {MAX_EXTRA} bytes of extra fields")
        if _ZIP64 in (packed, size, offset):
            raise Malformed("is in zip64 form, which a bundle never needs")
        yield _Entry(data[begin : begin + named], flags, method, crc, packed, size, attributes >> 16, offset)
    if position != end:
        raise Malformed("has a directory with more members than it counts")


def _begins(data: bytes, entries: list[_Entry]) -> list[int]:
    """Where the packed bytes of each member begin. Raises Malformed unless they fill the file up to the directory."""
    start = int.from_bytes(data[-6:-2], "little")
    found = {entry.offset: _begin(data, entry, start) for entry in entries}
    if len(found) < len(entries):
        raise Malformed("has two members in one place")
    ordered = sorted(entries, key=lambda entry: entry.offset)
    limits = [*(entry.offset for entry in ordered), start]
    if limits[0] != 0:
        raise Malformed("has bytes that belong to no member")
    for entry, limit in zip(ordered, limits[1:], strict=True):
        gap = limit - found[entry.offset] - entry.packed
        if gap not in (_DESCRIPTORS if entry.flags & _STREAMED else (0,)):
            raise Malformed("has members that overlap" if gap < 0 else "has bytes that belong to no member")
    return [found[entry.offset] for entry in entries]


def _begin(data: bytes, entry: _Entry, start: int) -> int:
    """The same for one member, whose own header must agree with the directory's."""
    if entry.offset + _LOCAL.size > start:
        raise Malformed("has a member beyond its end")
    signature, _, flags, method, _, _, crc, packed, size, named, extra = _LOCAL.unpack_from(data, entry.offset)
    name: int = entry.offset + _LOCAL.size
    known = (entry.crc, entry.packed, entry.size)
    # What was written before it was known stands behind the member; with zip64 in mind, in an extra field.
    open_ended = flags & _STREAMED or _ZIP64 in (packed, size)
    if (
        (signature, method, data[name : name + named]) != (b"PK\3\4", entry.method, entry.name)
        or flags & (_STREAMED | _ENCRYPTED) != entry.flags & (_STREAMED | _ENCRYPTED)
        or ((crc, packed, size) != known and not open_ended)
    ):
        raise Malformed("has a member whose own header says something else than the directory")
    if extra > MAX_EXTRA:
        raise Malformed(f"has a member with more than {MAX_EXTRA} bytes of extra fields")
    return name + int(named) + int(extra)


def _member(entry: _Entry, begin: int, ratio: int) -> Member:
    name, kind = entry.name.decode("utf-8", "replace"), stat.S_IFMT(entry.mode)
    folder, refused = False, ""
    if name.endswith("/") and kind in (0, stat.S_IFDIR):
        folder = not entry.size and entry.packed <= _NOTHING
        refused = "" if folder else "is a folder with a size"
    elif kind not in (0, stat.S_IFREG):
        refused = "is a symbolic link" if kind == stat.S_IFLNK else "is not a regular file"
    elif entry.flags & _ENCRYPTED:
        refused = "is encrypted"
    elif entry.method not in (STORED, DEFLATED):
        refused = f"is packed by a method ({entry.method}) that is not read"
    elif entry.size > SMALL and entry.size > ratio * entry.packed:
        refused = f"unpacks to more than {ratio} times its size"
    return Member(name, entry.size, begin, folder=folder, refused=refused)


def _content(data: bytes, entry: _Entry, begin: int) -> bytes | None:
    """The member unpacked; None where it is not of the size and checksum told. Never more than one byte beyond that."""
    packed = memoryview(data)[begin : begin + entry.packed]
    if entry.method == STORED:
        content, whole = bytes(packed[: entry.size]), entry.packed == entry.size
    else:
        unpacker = zlib.decompressobj(wbits=-15)
        try:
            content = unpacker.decompress(packed, entry.size + 1)
        except zlib.error:
            return None
        whole = unpacker.eof and not unpacker.unused_data
    return content if whole and len(content) == entry.size and zlib.crc32(content) == entry.crc else None
