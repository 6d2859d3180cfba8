"""A run's archive is held to its list before anything of it is used, and read within limits."""

from __future__ import annotations

import json
import os
import random
from pathlib import Path

import pytest

from ftbench.errors import InvalidInput, MissingResource
from ftbench.result import archive

SHA = "ab" * 32
LARGEST = 10_000


def made(folder: Path) -> tuple[Path, str]:
    """An archive of three files, and its list's digest."""
    (folder / archive.STATE).mkdir(parents=True)
    draw = random.Random(1)
    for number in range(3):
        (folder / archive.STATE / f"{number}.safetensors").write_bytes(draw.randbytes(300 + number))
    listed = archive.Archive(spec_hash=SHA, entry=SHA, ledger=SHA, keep_every=1, micro_batch=0, files={})
    return folder, archive.make(folder, listed)


def held(folder: Path, digest: str, most: int = LARGEST) -> None:
    archive.held(folder, archive.read(folder, digest), most)


def test_a_whole_archive_holds(tmp_path: Path) -> None:
    folder, digest = made(tmp_path / "a")
    held(folder, digest)
    (folder / archive.STATE / "1.safetensors").unlink()  # whoever needs it will miss it
    held(folder, digest)
    with pytest.raises(MissingResource):
        held(tmp_path, digest)


def test_every_flipped_bit_is_seen(tmp_path: Path) -> None:
    flips(tmp_path, 200, 2)


@pytest.mark.slow
def test_many_flipped_bits(tmp_path: Path) -> None:
    flips(tmp_path, 2000, 3)


def flips(tmp_path: Path, count: int, seed: int) -> None:
    folder, digest = made(tmp_path / "a")
    draw = random.Random(seed)
    files = [folder / archive.LIST, *sorted((folder / archive.STATE).iterdir())]
    for _ in range(count):
        path = draw.choice(files)
        whole = path.read_bytes()
        changed = bytearray(whole)
        changed[draw.randrange(len(whole))] ^= 1 << draw.randrange(8)
        path.write_bytes(changed)
        with pytest.raises(InvalidInput):
            held(folder, digest)
        path.write_bytes(whole)
    held(folder, digest)


def test_nothing_large_is_read(tmp_path: Path) -> None:
    folder, digest = made(tmp_path / "a")
    with pytest.raises(InvalidInput, match="at most"):
        held(folder, digest, most=200)
    with (folder / archive.STATE / "0.safetensors").open("r+b") as file:
        file.truncate(2**40)  # a sparse file of a terabyte
    with pytest.raises(InvalidInput, match="bytes"):
        held(folder, digest)
    with (folder / archive.LIST).open("r+b") as file:
        file.truncate(2**40)
    with pytest.raises(InvalidInput):
        held(folder, digest)


def test_nothing_leaves_the_archive(tmp_path: Path) -> None:
    folder, digest = made(tmp_path / "a")
    state = folder / archive.STATE / "0.safetensors"
    (tmp_path / "elsewhere").write_bytes(state.read_bytes())
    state.unlink()
    state.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InvalidInput, match="leaves"):
        held(folder, digest)
    listed = json.loads((folder / archive.LIST).read_bytes())
    listed["files"]["../../elsewhere"] = listed["files"].pop("1.safetensors")
    with pytest.raises(InvalidInput, match="leaves"):
        archive.held(folder, archive.Archive.model_validate(listed), LARGEST)


def test_names_and_lists_of_no_file(tmp_path: Path) -> None:
    """A name that no disk takes, and a list that is a pipe, by which whoever reads it waits for ever."""
    folder, digest = made(tmp_path)
    listed = json.loads((folder / archive.LIST).read_bytes())
    for name in ("a" * 300, "a\0b", "..", "", "a/b"):
        told = {**listed, "files": {name: {"size": 1, "sha256": "0" * 64}}}
        with pytest.raises(InvalidInput):
            archive.held(folder, archive.Archive.model_validate(told), LARGEST)
    (folder / archive.LIST).unlink()
    os.mkfifo(folder / archive.LIST)
    with pytest.raises(InvalidInput):
        archive.read(folder, digest)


def test_what_the_list_does_not_name_is_not_read(tmp_path: Path) -> None:
    """A file of a digest that the ledger names, and not the list: its size was bounded by nothing, and a pipe under
    such a name, or under one that is listed, was waited for."""
    folder, digest = made(tmp_path)
    other = folder / archive.STATE / f"{SHA}.safetensors"
    with other.open("wb") as file:
        file.truncate(2**40)
    with pytest.raises(InvalidInput, match="does not name"):
        held(folder, digest)
    other.unlink()
    os.mkfifo(other)
    with pytest.raises(InvalidInput, match="does not name"):
        held(folder, digest)
    other.unlink()
    (folder / archive.STATE / "0.safetensors").unlink()
    os.mkfifo(folder / archive.STATE / "0.safetensors")
    with pytest.raises(InvalidInput, match="no plain file"):
        held(folder, digest)
