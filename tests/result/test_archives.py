"""Archives of all makes that are read alike, and archives that one program reads otherwise than another."""

from __future__ import annotations

import gzip
import io
import random
import shutil
import struct
import subprocess
import tarfile
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from ftbench.result import names, tars, zips
from ftbench.result.files import Bundle, Limits
from ftbench.result.opening import open_bundle
from ftbench.result.pack import to_zip

FILES = {name: name.encode() for name in (*names.FIXED, "samples/jars.jsonl.gz")}
LONG = "samples/" + "-".join(["jars"] * 34) + ".jsonl.gz"
"""Longer than a tar's header holds, shorter than a bundle's names may be."""


def opened(path: Path, data: bytes) -> Bundle:
    path.write_bytes(data)
    return open_bundle(path)


def folder(path: Path) -> Path:
    for name, content in {**FILES, LONG: b"long"}.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(content)
    return path


# --- honest -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["gnu", "oldgnu", "pax"])
@pytest.mark.parametrize("what", [".", "*"])
def test_tars_of_gnu_tar(tmp_path: Path, form: str, what: str) -> None:
    if shutil.which("tar") is None:
        pytest.skip("no tar here")
    here, out = folder(tmp_path / "bundle"), tmp_path / "b.tar.gz"
    members = [what] if what == "." else sorted(path.name for path in here.iterdir())
    subprocess.run(["tar", f"--format={form}", "-czf", out, *members], cwd=here, check=True)
    bundle = open_bundle(out)
    assert bundle.problems == [] and bundle.files == {**FILES, LONG: b"long"}


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_tars_of_python(tmp_path: Path, form: int) -> None:
    """The pax form has a header of its own for each member, with the time."""
    here, out = folder(tmp_path / "bundle"), tmp_path / "b.tar.gz"
    if form == tarfile.USTAR_FORMAT:
        (here / LONG).unlink()
    with tarfile.open(out, "w:gz", format=form) as tar:
        tar.add(here, ".")
    bundle = open_bundle(out)
    assert bundle.problems == [] and bundle.files.keys() >= FILES.keys()


class Stream(io.BytesIO):
    """Cannot go back, as a pipe cannot: sizes are written behind what they are of."""

    def seekable(self) -> bool:
        return False

    def seek(self, *_: int) -> int:
        raise OSError

    def tell(self) -> int:
        raise OSError


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("kind", [io.BytesIO, Stream])
def test_zips_of_python(tmp_path: Path, method: int, kind: type[io.BytesIO]) -> None:
    out = kind()
    with zipfile.ZipFile(out, "w", method) as archive:
        archive.writestr("samples/", b"")
        for name, content in FILES.items():
            with archive.open(name, "w", force_zip64=True) as file:
                file.write(content)
    bundle = opened(tmp_path / "b.zip", out.getvalue())
    assert bundle.problems == [] and bundle.files == FILES


@pytest.mark.parametrize("command", ["zip -qr - .", "zip -qr0 ../b.zip .", "jar cfM ../b.zip ."])
def test_zips_of_other_makers(tmp_path: Path, command: str) -> None:
    program, *_ = command.split()
    if shutil.which(program) is None:
        pytest.skip(f"no {program} here")
    here, out = folder(tmp_path / "bundle"), tmp_path / "b.zip"
    made = subprocess.run(command.split(), cwd=here, check=True, capture_output=True).stdout
    if made:
        out.write_bytes(made)
    bundle = open_bundle(out)
    assert bundle.problems == [] and bundle.files == {**FILES, LONG: b"long"}


# --- tars that are not ------------------------------------------------------------------------------------------------


def head(kind: bytes, size: int, name: str = "x") -> bytes:
    member = tarfile.TarInfo(name)
    member.type, member.size = kind, size
    return member.tobuf(tarfile.USTAR_FORMAT)


def padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 512)


def pax(*pairs: tuple[str, str], kind: bytes = b"x") -> bytes:
    made = b""
    for key, value in pairs:
        rest = f" {key}={value}\n".encode()
        length = len(rest) + 1
        while len(str(length)) + len(rest) > length:
            length += 1
        made += str(length).encode() + rest
    return head(kind, len(made)) + padded(made)


def to_tar(*parts: bytes) -> bytes:
    return gzip.compress(b"".join(parts) + bytes(1024), mtime=0)


def changed(block: bytes, position: int, text: bytes) -> bytes:
    """A header with another text there and the checksum that goes with it."""
    made = bytearray(block)
    made[position : position + len(text)] = text
    made[148:156] = b" " * 8
    made[148:156] = b"%06o\0 " % sum(made)
    return bytes(made)


INNER = head(b"x", 100_000) + padded(b"1" * 100_000)
FILE = head(b"0", 6, names.RESULT) + padded(b"secret")
NOISE = head(b"0", 2**18) + random.Random(1).randbytes(2**18)
"""Makes an archive that may unpack to more."""
SIZED = [b"1", b"2", b"3", b"4", b"5", b"6", b"7", b"D", b"M", b"N", b"S", b"V", b"A"]


@pytest.mark.parametrize("kind", SIZED)
def test_only_a_regular_file_has_a_size(tmp_path: Path, kind: bytes) -> None:
    """Whether what follows is its content or the next member is a matter of taste, and any header can lie there."""
    for size in (len(INNER), 1):
        told = str(opened(tmp_path / "b.tar.gz", to_tar(FILE, head(kind, size, "samples"), INNER)).problems[0])
        assert told == "the tar has a member with a size that is no regular file"
    v7 = head(b"\0", len(INNER), "samples/")
    assert "no regular file" in str(opened(tmp_path / "b.tar.gz", to_tar(FILE, v7, INNER)).problems[0])


@pytest.mark.parametrize(
    ("parts", "why"),
    [
        ([pax(("size", "0")), head(b"0", len(INNER)), INNER], "another size"),
        ([pax(("GNU.sparse.major", "1")), FILE], "another size"),
        ([pax(("SCHILY.realsize", "1")), FILE], "another size"),
        ([pax(("size", "9"), kind=b"g"), FILE], "another size"),
        ([pax(("path", "a"), kind=b"g"), FILE], "names every member alike"),
        ([pax(("a", "b")), pax(("c", "d")), FILE], "two pax headers"),
        ([head(b"L", 2), padded(b"a\0"), head(b"L", 2), padded(b"a\0"), FILE], "two long name headers"),
        ([FILE, pax(("a", "b"))], "of no member"),
        ([head(b"x", 9), padded(b"99 a=b\n"), FILE], "malformed"),
        ([head(b"x", 9), padded(b"3 a=b\n\0"), FILE], "malformed"),
        ([head(b"x", 9), padded(b"0 a=b\n"), FILE], "malformed"),
        ([head(b"x", 9), padded(b"-6 a=b\n"), FILE], "malformed"),
        ([head(b"x", 5), padded(b"5 ab\n"), FILE], "malformed"),
        ([head(b"x", 4097), padded(b"1" * 4097), FILE], "more than 4096 bytes"),
        ([NOISE, *[pax(("a", "b" * 4_000)), FILE] * 300], "bytes of extended headers"),
        ([FILE, bytes(512), FILE], "after its end"),
        ([FILE, head(b"0", 4096)], "cut short"),
        ([changed(FILE[:512], 124, b"\x80" + bytes(10) + b"\6"), FILE[512:]], "octal"),
        ([changed(FILE[:512], 124, b"\xff" * 12), FILE[512:]], "octal"),
        ([changed(FILE[:512], 124, b"-0000000006\0"), FILE[512:]], "octal"),
        ([changed(FILE[:512], 124, b"0000000 006\0"), FILE[512:]], "octal"),
        ([b"y" + FILE[1:]], "checksum"),
        ([head(b"0", 0, f"x{n}") for n in range(Limits().members + 1)], "more members"),
    ],
)  # fmt: skip
def test_malformed_tars(tmp_path: Path, parts: Sequence[bytes], why: str) -> None:
    """Nothing of them is taken in, and the one problem says why."""
    bundle = opened(tmp_path / "b.tar.gz", to_tar(*parts))
    assert bundle.files == {} and [why in str(problem) for problem in bundle.problems] == [True], bundle.problems


def test_tar_without_an_end(tmp_path: Path) -> None:
    assert "no end" in str(opened(tmp_path / "b.tar.gz", gzip.compress(FILE)).problems[0])
    assert "cut short" in str(opened(tmp_path / "b.tar.gz", gzip.compress(FILE + FILE[:100])).problems[0])


def test_name_in_an_extended_header_is_judged_as_any(tmp_path: Path) -> None:
    for made in (pax(("path", "../x")), pax(("path", "a\nb")), head(b"L", 5) + padded(b"../x\0")):
        bundle = opened(tmp_path / "b.tar.gz", to_tar(made, FILE))
        assert bundle.files == {} and "safe name" in str(bundle.problems[0])
    told = opened(
        tmp_path / "b.tar.gz", to_tar(pax(("path", names.LOCK), ("mtime", "1.5"), ("comment", "a\nb=c")), FILE)
    )
    assert told.files == {names.LOCK: b"secret"} and told.problems == []


def test_prefix_that_is_none_in_gnus_form(tmp_path: Path) -> None:
    """There stand times where POSIX has the beginning of the name."""
    told = changed(changed(FILE[:512], 257, b"ustar  \0"), 345, b"14000000000\0")
    assert list(opened(tmp_path / "b.tar.gz", to_tar(told, FILE[512:])).files) == [names.RESULT]
    told = changed(FILE[:512], 345, b"samples\0")
    assert list(opened(tmp_path / "b.tar.gz", to_tar(told, FILE[512:])).files) == [f"samples/{names.RESULT}"]


# --- zips that are not ------------------------------------------------------------------------------------------------


def to_raw_zip(entries: Sequence[dict[str, Any]]) -> bytes:
    """A zip of `entries`: name, packed, size, crc, method, extra, flags, mode; `at`: the entry in whose place it is."""
    out, directory = b"", b""
    offsets: list[int] = []
    for entry in entries:
        told = {"size": len(entry["packed"]), "crc": zlib.crc32(entry["packed"]), "method": 0, "flags": 0} | entry
        name, packed, extra = told["name"], told["packed"], told.get("extra", b"")
        numbers = told["flags"], told["method"], 0, 33, told["crc"], len(packed), told["size"], len(name)
        offsets.append(offsets[told["at"]] if "at" in told else len(out))
        if "at" not in told:
            out += struct.pack("<4s5H3L2H", b"PK\3\4", 20, *numbers, 0) + name + packed + told.get("after", b"")
        mode = told.get("mode", 0o100644) << 16
        directory += struct.pack("<4s6H3L5H2L", b"PK\1\2", 20, 20, *numbers, len(extra), 0, 0, 0, mode, offsets[-1])
        directory += name + extra
    count = len(entries)
    return out + directory + struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, count, count, len(directory), len(out), 0)


ONE = {"name": b"result.json", "packed": b"abc"}


def deflated(content: bytes) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return packer.compress(content) + packer.flush()


@pytest.mark.parametrize(
    ("entries", "why"),
    [
        ([ONE, ONE | {"at": 0}], "two members in one place"),
        ([ONE, {"name": b"a", "packed": b"x" * 60}, ONE | {"name": b"b", "after": b"hidden"}], "belong to no member"),
        ([ONE | {"extra": b"\x99\x99\0\0" * 1025}], "extra fields"),
        ([ONE | {"size": 0xFFFFFFFF}], "zip64"),
        ([{"name": b"x%d" % n, "packed": b""} for n in range(Limits().members + 1)], "more members"),
        ([{"name": b"x%d" % n, "packed": deflated(bytes(2**20)), "method": 8, "size": 2**20} for n in range(9)],
         "unpacks to more than"),
    ],
)  # fmt: skip
def test_malformed_zips(tmp_path: Path, entries: Sequence[dict[str, Any]], why: str) -> None:
    bundle = opened(tmp_path / "b.zip", to_raw_zip(entries))
    assert bundle.files == {} and [why in str(problem) for problem in bundle.problems] == [True], bundle.problems


def test_members_that_overlap(tmp_path: Path) -> None:
    """A member within another's content: one byte would be unpacked twice."""
    inner = to_raw_zip([ONE])
    inner = inner[: inner.index(b"PK\1\2")]
    data = to_raw_zip([{"name": b"a", "packed": inner}, ONE])
    entry = data.rindex(b"PK\1\2")
    begin = (30 + 1).to_bytes(4, "little")
    bundle = opened(tmp_path / "b.zip", data[: entry + 42] + begin + data[entry + 46 :])
    assert "overlap" in str(bundle.problems[0]) and bundle.files == {}


@pytest.mark.parametrize(
    ("offset", "what"), [(6, "flags"), (8, "method"), (14, "crc"), (18, "packed"), (22, "size"), (30, "name")]
)
def test_header_that_says_something_else(tmp_path: Path, offset: int, what: str) -> None:
    data = bytearray(to_zip(FILES))
    data[offset] ^= 8
    bundle = opened(tmp_path / "b.zip", bytes(data))
    assert "own header says something else" in str(bundle.problems[0]) and bundle.files == {}, what


@pytest.mark.parametrize(
    ("entry", "why"),
    [
        ({"name": b"samples/", "packed": b"abc", "mode": 0o040755}, "a folder with a size"),
        ({"name": b"samples/", "packed": b"abc", "mode": 0o040755, "size": 0, "crc": 0}, "a folder with a size"),
        ({"name": b"samples/", "packed": b"", "mode": 0o040755, "size": 9}, "a folder with a size"),
        ({"name": b"samples/", "packed": deflated(b"") * 2, "mode": 0o040755, "size": 0}, "a folder with a size"),
        ({"name": b"samples", "packed": b"", "mode": 0o040755}, "not a regular file"),
        ({"name": b"x", "packed": b"abc", "size": 2}, "cannot be unpacked"),
        ({"name": b"x", "packed": b"abc", "crc": 1}, "cannot be unpacked"),
        ({"name": b"x", "packed": deflated(b"abc") + b"x", "method": 8, "size": 3, "crc": zlib.crc32(b"abc")},
         "cannot be unpacked"),
        ({"name": b"x", "packed": deflated(b"abc")[:-1], "method": 8, "size": 3, "crc": zlib.crc32(b"abc")},
         "cannot be unpacked"),
        ({"name": b"x", "packed": deflated(b"abc"), "method": 8, "size": 0, "crc": 0}, "cannot be unpacked"),
        ({"name": b"x", "packed": b"abc", "flags": 1}, "encrypted"),
    ],
)  # fmt: skip
def test_members_that_are_refused(tmp_path: Path, entry: dict[str, Any], why: str) -> None:
    bundle = opened(tmp_path / "b.zip", to_raw_zip([ONE, entry]))
    assert bundle.files == {"result.json": b"abc"} and why in str(bundle.problems[0])


def test_what_could_not_be_unpacked_is_counted(tmp_path: Path) -> None:
    """Each costs its unpacking, whether or not a file comes of it."""
    entries = [{"name": b"x%d" % n, "packed": b"a" * 1000, "crc": 1} for n in range(50)]
    path = tmp_path / "b.zip"
    path.write_bytes(to_raw_zip(entries))
    bundle = open_bundle(path, Limits(total_bytes=10_000))
    told = [str(problem) for problem in bundle.problems]
    assert sum("cannot be unpacked" in one for one in told) == 10 and sum("larger than" in one for one in told) == 40


def test_constants_fit() -> None:
    """What this reader takes for honest is what its own pack makes, by far."""
    assert tars.MAX_EXTENDED > 100 * tars.MAX_EXTRA and zips.MAX_DIRECTORY > 100 * zips.MAX_EXTRA
