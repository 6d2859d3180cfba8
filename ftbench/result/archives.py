"""Reading .zip and .tar.gz bundles, members one by one into memory, within the bundle's limits."""

from __future__ import annotations

import io
import stat
import tarfile
import zipfile
import zlib

from ftbench.errors import InvalidInput
from ftbench.result import samples
from ftbench.result.files import Bundle

SMALL = 2**20
"""Bytes from which the ratio of packed to unpacked size is looked at."""
MAX_DIRECTORY = 2**20
"""Largest central directory of a zip that is read: about 10,000 members."""
MAX_TAR_EXTRA = 4_096
"""Largest extended header of a tar that is read: the standard library's search through one takes time by its square."""
_BLOCK = 512
_END = 22
"""Bytes of a zip's end record without a comment."""
_BROKEN = (
    OSError,
    EOFError,
    ValueError,
    OverflowError,
    RuntimeError,
    NotImplementedError,
    LookupError,
    AttributeError,
    zlib.error,
    zipfile.BadZipFile,
    tarfile.TarError,
)
"""What the standard library raises on archives that are not well formed."""


def read_zip(bundle: Bundle, data: bytes) -> None:
    """Take the members of a zip into `bundle`: plain files, stored or deflated, not encrypted, no comment, no zip64."""
    if why := _zip_shape(data):
        bundle.refuse("", why)
        return
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for info in archive.infolist():
                _zip_member(bundle, archive, info)
    except _BROKEN as error:
        bundle.refuse("", f"the zip cannot be read: {type(error).__name__}")


def _zip_shape(data: bytes) -> str:
    """What is wrong with the end record, before `zipfile` reads a directory of any size."""
    end = data[-_END:]
    if len(end) < _END or end[:4] != b"PK\5\6" or end[-2:] != b"\0\0":
        return "the file is not a zip, or has something after its end"
    if data[-_END - 20 : -_END].startswith(b"PK\6\7"):
        return "the zip is in zip64 form, which a bundle never needs"
    size, start = int.from_bytes(end[12:16], "little"), int.from_bytes(end[16:20], "little")
    if size > MAX_DIRECTORY:
        return f"the zip's directory has more than {MAX_DIRECTORY} bytes"
    if start + size + _END != len(data) or (data[:2] != b"PK"):
        return "the zip has bytes that belong to no member"
    return ""


def _zip_member(bundle: Bundle, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> None:
    # `orig_filename`: zipfile cuts `filename` at a NUL and turns the system's separators into `/`.
    name = info.orig_filename
    kind = stat.S_IFMT(info.external_attr >> 16)
    if name.endswith("/") and kind in (0, stat.S_IFDIR) and info.file_size == 0:
        bundle.admits_folder(name[:-1])
    elif kind not in (0, stat.S_IFREG):
        bundle.refuse(name, "is a symbolic link" if kind == stat.S_IFLNK else "is not a regular file")
    elif info.flag_bits & 0x1:
        bundle.refuse(name, "is encrypted")
    elif info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        bundle.refuse(name, f"is packed by a method ({info.compress_type}) that is not read")
    elif info.file_size > SMALL and info.file_size > bundle.limits.ratio * info.compress_size:
        bundle.refuse(name, f"unpacks to more than {bundle.limits.ratio} times its size")
    elif bundle.admits(name, info.file_size):
        try:
            with archive.open(info) as file:
                content = file.read(info.file_size + 1)
        except _BROKEN as error:
            bundle.refuse(name, f"cannot be unpacked: {type(error).__name__}")
            return
        if len(content) != info.file_size:
            bundle.refuse(name, "has another size than the zip says")
        else:
            bundle.add(name, content)


def read_tar(bundle: Bundle, data: bytes) -> None:
    """Take the members of a .tar.gz into `bundle`: plain files only."""
    try:
        # Headers of a tar take 1 KiB a member, so this bounds the whole.
        limit = bundle.limits.total_bytes + 2_048 * bundle.limits.files
        unpacked = samples.gunzip(data, str(bundle.path), min(limit, max(SMALL, bundle.limits.ratio * len(data))))
        if why := _tar_shape(unpacked):
            bundle.refuse("", why)
            return
        with tarfile.open(fileobj=io.BytesIO(unpacked), mode="r:", errorlevel=2) as archive:
            for _ in range(2 * bundle.limits.files):
                if (member := archive.next()) is None:
                    return
                _tar_member(bundle, archive, member)
            bundle.refuse("", "the tar has more members than are read")
    except InvalidInput as error:
        bundle.refuse("", f"the archive {error.diagnostics[0].message}")
    except _BROKEN as error:
        bundle.refuse("", f"the tar cannot be read: {type(error).__name__}")


def _tar_shape(unpacked: bytes) -> str:
    """What is wrong with the extended headers, before `tarfile` reads them: each is to be small and of plain size."""
    position = 0
    while position + _BLOCK <= len(unpacked):
        header = unpacked[position : position + _BLOCK]
        digits = header[124:136].strip(b" \0")
        if not digits.isdigit() and digits:
            return "the tar has a member whose size is not written in octal digits"
        size = int(digits or b"0", 8)
        if header[156:157] in b"xgXLK" and header[156:157] and size > MAX_TAR_EXTRA:
            return f"the tar has an extended header of more than {MAX_TAR_EXTRA} bytes"
        position += _BLOCK + -(-size // _BLOCK) * _BLOCK
    return ""


def _tar_member(bundle: Bundle, archive: tarfile.TarFile, member: tarfile.TarInfo) -> None:
    name = member.name
    if member.isdir():
        if name != ".":
            bundle.admits_folder(name.removeprefix("./"))
    elif member.issym() or member.islnk():
        bundle.refuse(name, "is a symbolic link" if member.issym() else "is a hard link")
    elif member.type not in (tarfile.REGTYPE, tarfile.AREGTYPE) or member.issparse():
        bundle.refuse(name, "is not a regular file")
    elif bundle.admits(name.removeprefix("./"), member.size):
        file = archive.extractfile(member)
        content = file.read(member.size + 1) if file else b""
        if len(content) != member.size:
            bundle.refuse(name, "is cut short")
        else:
            bundle.add(name.removeprefix("./"), content)
