"""Bundles as folders and archives, and the ways in which one may try to leave its place or to swell."""

from __future__ import annotations

import io
import os
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from ftbench.errors import InvalidInput
from ftbench.result import names, zips
from ftbench.result.files import Bundle, Limits
from ftbench.result.opening import open_bundle
from ftbench.result.pack import pack, to_zip

FILES = {name: name.encode() for name in (*names.FIXED, "samples/jars.jsonl.gz")}
SMALL = Limits(files=20, file_bytes=100_000, total_bytes=150_000, archive_bytes=1_000_000, ratio=50)


def folder(path: Path, files: dict[str, bytes] = FILES) -> Path:
    for name, content in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(content)
    return path


def to_tar(files: dict[str, bytes], edit: Callable[[tarfile.TarFile], None] = lambda tar: None) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
        edit(tar)
    return buffer.getvalue()


def opened(path: Path, data: bytes, limits: Limits = SMALL) -> Bundle:
    path.write_bytes(data)
    return open_bundle(path, limits)


def test_same_files_from_all_forms(tmp_path: Path) -> None:
    here = folder(tmp_path / "bundle")
    forms = [
        open_bundle(here),
        open_bundle(pack(here)),
        opened(tmp_path / "b.tar.gz", to_tar(FILES)),
        opened(tmp_path / "c.tgz", to_tar({f"./{name}": content for name, content in FILES.items()})),
    ]
    for bundle in forms:
        assert bundle.problems == [] and bundle.files == FILES and list(bundle) == sorted(FILES)


def test_pack_is_the_same_bytes(tmp_path: Path) -> None:
    one, other = folder(tmp_path / "one"), folder(tmp_path / "two", dict(reversed(FILES.items())))
    os.utime(other / names.RESULT, (1, 1))
    (other / names.RESULT).chmod(0o600)
    assert pack(one).read_bytes() == pack(other, tmp_path / "x.zip").read_bytes()
    assert pack(one) == tmp_path / "one.zip"


@pytest.mark.parametrize("name", ["x.tar.gz", "x", "bundle/x.zip"])
def test_pack_refuses_names_that_verify_could_not_use(name: str, tmp_path: Path) -> None:
    """A zip named .tar.gz is opened as a tar; one inside the bundle makes it no bundle."""
    here = folder(tmp_path / "bundle")
    with pytest.raises(InvalidInput, match="FTB604"):
        pack(here, tmp_path / name)
    assert not (tmp_path / name).exists()


def test_pack_replaces_no_device(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.zip"
    os.mkfifo(pipe)
    link = tmp_path / "link.zip"
    link.symlink_to(pipe)
    for out in (pipe, link):
        with pytest.raises(OSError, match="not a regular file") as caught:
            pack(folder(tmp_path / "bundle"), out)
        assert caught.value.filename == str(out)
    assert pipe.is_fifo() and link.is_symlink()


def test_pack_names_the_file_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as caught:
        pack(folder(tmp_path / "bundle"), tmp_path / "none" / "x.zip")
    assert caught.value.filename == str(tmp_path / "none" / "x.zip")


def test_pack_follows_a_link_to_a_file(tmp_path: Path) -> None:
    (tmp_path / "real.zip").touch()
    (tmp_path / "link.zip").symlink_to("real.zip")
    pack(folder(tmp_path / "bundle"), tmp_path / "link.zip")
    assert (tmp_path / "link.zip").is_symlink() and (tmp_path / "real.zip").stat().st_size


def test_pack_refuses_what_is_no_bundle(tmp_path: Path) -> None:
    here = folder(tmp_path / "bundle")
    (here / "notes.txt").write_text("x")
    (here / names.RESULT).unlink()
    with pytest.raises(InvalidInput) as caught:
        pack(here)
    assert [d.message for d in caught.value.diagnostics] == [
        "`notes.txt` is no file of a bundle",
        "`result.json` is missing",
    ]


@pytest.mark.parametrize("name", ["nothing", "plain.txt"])
def test_nothing_to_open(tmp_path: Path, name: str) -> None:
    (tmp_path / "plain.txt").write_text("x")
    with pytest.raises(InvalidInput, match="FTB603"):
        open_bundle(tmp_path / name)


def refused(bundle: Bundle, why: str, name: str = "") -> None:
    assert any(why in p.why and name in p.name for p in bundle.problems), bundle.problems
    assert b"secret" not in b"".join(bundle.files.values())


@pytest.mark.parametrize(
    "name",
    ["../x", "a/../../x", "/etc/x", "a//b", "./a", "a/", "C:\\x", "a\\b", ".hidden", "a/.b", "x\n", "<b>", "x y", "é",
     "x.", "-", "a" * 201, "", "~/x", "a:b", "\x1b[31m", "a\u202e"],
)  # fmt: skip
def test_unsafe_names(name: str) -> None:
    assert not names.is_safe(name)


@pytest.mark.parametrize("name", ["../x", "/etc/x", "a\\b", "x\ny", "<b>", "adapter/../../x"])
def test_unsafe_names_in_archives(tmp_path: Path, name: str) -> None:
    refused(opened(tmp_path / "b.zip", to_zip({**FILES, name: b"secret"})), "safe name", name)
    refused(opened(tmp_path / "b.tar.gz", to_tar({**FILES, name: b"secret"})), "safe name")
    assert not (tmp_path.parent / "x").exists()


def test_links_and_devices_in_a_folder(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    here = folder(tmp_path / "bundle")
    (here / "link.json").symlink_to(tmp_path / "secret")
    (here / "away").symlink_to(tmp_path, target_is_directory=True)
    os.mkfifo(here / "pipe")
    (here / "more").mkdir()
    (here / "more" / "x").write_text("secret")
    bundle = open_bundle(here)
    refused(bundle, "symbolic link", "link.json")
    refused(bundle, "symbolic link", "away")
    refused(bundle, "not a regular file", "pipe")
    refused(bundle, "folder that a bundle does not have", "more")
    assert bundle.files == FILES


def test_copies_that_share_their_files(tmp_path: Path) -> None:
    """As `cp -al` makes them: neither the copy nor what it was made of is refused."""
    here, copy = folder(tmp_path / "bundle"), tmp_path / "copy"
    for name in FILES:
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        (copy / name).hardlink_to(here / name)
    for path in (here, copy):
        bundle = open_bundle(path)
        assert bundle.problems == [] and bundle.files == FILES
    assert pack(copy, tmp_path / "a.zip").read_bytes() == pack(here, tmp_path / "b.zip").read_bytes()


@pytest.mark.parametrize("name", [names.RESULT, "samples"])
def test_name_that_becomes_a_link_while_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Between looking and opening: the link is not followed, and no other folder is walked."""
    away = folder(tmp_path / "away", dict.fromkeys(FILES, b"secret"))
    here = folder(tmp_path / "bundle")
    genuine = os.open

    def swapped(path: object, *given: int, **named: int) -> int:
        if path == name and not (here / name).is_symlink():
            (here / name).rename(tmp_path / "moved")
            (here / name).symlink_to(away / name)
        return genuine(path, *given, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "open", swapped)
    refused(open_bundle(here), "cannot be read", name)


def test_file_that_grows_while_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = folder(tmp_path / "bundle")
    genuine = os.fstat

    def grown(descriptor: int) -> os.stat_result:
        info = genuine(descriptor)
        with (here / names.RESULT).open("ab") as file:
            file.write(b"secret")
        return info

    monkeypatch.setattr(os, "fstat", grown)
    refused(open_bundle(here), "changed while it was read", names.RESULT)


def test_folder_of_very_many_names(tmp_path: Path) -> None:
    here = folder(tmp_path / "bundle")
    for number in range(SMALL.members):
        (here / f"x{number}").touch()
    refused(open_bundle(here, SMALL), "holds more than")


def test_links_and_devices_in_a_tar(tmp_path: Path) -> None:
    def edit(tar: tarfile.TarFile) -> None:
        kinds = {"sym": tarfile.SYMTYPE, "hard": tarfile.LNKTYPE, "dev": tarfile.CHRTYPE, "fifo": tarfile.FIFOTYPE}
        for name, kind in kinds.items():
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, names.RESULT
            tar.addfile(info)
        info = tarfile.TarInfo("etc")
        info.type = tarfile.DIRTYPE
        tar.addfile(info)

    bundle = opened(tmp_path / "b.tar.gz", to_tar(FILES, edit))
    refused(bundle, "symbolic link", "sym")
    refused(bundle, "hard link", "hard")
    refused(bundle, "not a regular file", "dev")
    refused(bundle, "not a regular file", "fifo")
    refused(bundle, "folder", "etc")
    assert bundle.files == FILES


def zipped(edit: Callable[[zipfile.ZipFile], None]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in FILES.items():
            archive.writestr(name, content)
        edit(archive)
    return buffer.getvalue()


def member(name: str, mode: int, compression: int = zipfile.ZIP_STORED) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.external_attr = mode << 16
    info.compress_type = compression
    return info


def test_strange_zip_members(tmp_path: Path) -> None:
    def edit(archive: zipfile.ZipFile) -> None:
        archive.writestr(member("link", 0o120777), "/etc/passwd")
        archive.writestr(member("dev", 0o020666), "")
        archive.writestr(member("lzma", 0o100644, zipfile.ZIP_LZMA), "secret")
        archive.writestr(member("samples/", 0o040755), "")
        archive.writestr(member("bin/", 0o040755), "")

    bundle = opened(tmp_path / "b.zip", zipped(edit))
    refused(bundle, "symbolic link", "link")
    refused(bundle, "not a regular file", "dev")
    refused(bundle, "method", "lzma")
    refused(bundle, "folder", "bin")
    assert bundle.files == FILES


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_name_twice(tmp_path: Path) -> None:
    refused(opened(tmp_path / "b.zip", zipped(lambda z: z.writestr(names.RESULT, "secret"))), "twice", names.RESULT)

    def edit(tar: tarfile.TarFile) -> None:
        info = tarfile.TarInfo("./" + names.RESULT)
        info.size = 6
        tar.addfile(info, io.BytesIO(b"secret"))

    refused(opened(tmp_path / "b.tar.gz", to_tar(FILES, edit)), "twice", names.RESULT)


def test_names_that_differ_in_case(tmp_path: Path) -> None:
    refused(opened(tmp_path / "b.zip", to_zip({**FILES, "samples/jarS.jsonl.gz": b"x"})), "in case only")


def test_zip_bomb(tmp_path: Path) -> None:
    def edit(archive: zipfile.ZipFile) -> None:
        archive.writestr(member("bomb", 0o100644, zipfile.ZIP_DEFLATED), bytes(5 * 2**20))

    wide = Limits(ratio=200)
    refused(opened(tmp_path / "b.zip", zipped(edit), wide), "unpacks to more than 200 times", "bomb")
    refused(opened(tmp_path / "b.zip", zipped(edit), Limits(file_bytes=1000, ratio=10**9)), "at most 1000", "bomb")


def test_zip_that_lies_about_a_size(tmp_path: Path) -> None:
    data = bytearray(zipped(lambda z: z.writestr(member("x.json", 0o100644, zipfile.ZIP_DEFLATED), bytes(5000))))
    entry, own = data.rindex(b"PK\1\2"), data.rindex(b"PK\3\4")
    data[entry + 24 : entry + 28] = (10).to_bytes(4, "little")
    refused(opened(tmp_path / "b.zip", bytes(data)), "own header says something else")
    data[own + 22 : own + 26] = (10).to_bytes(4, "little")
    refused(opened(tmp_path / "b.zip", bytes(data)), "cannot be unpacked", "x.json")


def test_tar_bomb(tmp_path: Path) -> None:
    data = to_tar({**FILES, "bomb": bytes(50 * 2**20)})
    assert len(data) < SMALL.archive_bytes
    refused(opened(tmp_path / "b.tar.gz", data), "unpacks to more than")


def test_too_many_and_too_large(tmp_path: Path) -> None:
    many = {**FILES, **{f"samples/t{n}.jsonl.gz": b"" for n in range(30)}}
    refused(opened(tmp_path / "b.zip", to_zip(many)), "one file too many")
    refused(opened(tmp_path / "b.tar.gz", to_tar(many)), "one file too many")
    many |= {f"samples/u{n}.jsonl.gz": b"" for n in range(100)}
    refused(opened(tmp_path / "b.zip", to_zip(many)), "more members than are read")
    refused(opened(tmp_path / "b.zip", to_zip({**FILES, "a": bytes(90_000), "b": bytes(90_000)})), "larger than 150000")
    refused(opened(tmp_path / "b.tar.gz", to_tar(many)), "")
    refused(opened(tmp_path / "big.zip", bytes(1_000_001)), "archive has more than")


@pytest.mark.parametrize(
    "edit",
    [
        lambda data: b"",
        lambda data: data[:-1],
        lambda data: data + b"x",
        lambda data: b"x" + data,
        lambda data: data[: len(data) // 2],
        lambda data: data[:-2] + b"\1\0x",
        lambda data: data[:-42] + b"PK\6\7" + data[-38:],
        lambda data: b"not a zip at all, but long enough for one",
    ],
)
def test_broken_zip(tmp_path: Path, edit: Callable[[bytes], bytes]) -> None:
    assert opened(tmp_path / "b.zip", edit(to_zip(FILES))).problems


def test_directory_of_any_size_is_not_read(tmp_path: Path) -> None:
    data = bytearray(to_zip(FILES))
    data[-10:-6] = (zips.MAX_DIRECTORY + 1).to_bytes(4, "little")
    refused(opened(tmp_path / "b.zip", bytes(data)), "directory")


@pytest.mark.parametrize("name", ["b.zip", "b.tar.gz"])
def test_random_bytes(tmp_path: Path, name: str) -> None:
    for seed in range(50):
        data = __import__("random").Random(seed).randbytes(400)
        assert opened(tmp_path / name, (b"PK\3\4" if name == "b.zip" else b"\x1f\x8b") + data).problems
