"""Plain byte flips, counted apart from the attacks: no byte of any file can change unseen."""

from __future__ import annotations

import io
import random
import tarfile
from collections.abc import Callable
from pathlib import Path

import forge
import pytest

from ftbench.result import names
from ftbench.result.documents import LEVELS
from ftbench.result.files import Bundle
from ftbench.result.opening import open_bundle
from ftbench.result.pack import to_zip
from ftbench.verify.checks import CHECKS
from ftbench.verify.context import Context
from ftbench.verify.verifier import climb

LOWER = [check for check in CHECKS if check.level in ("CLAIMED", "INTACT")]
FLIPS_A_FILE = 30
FLIPS_AN_ARCHIVE = 100


def intact(world: forge.World, bundle: Bundle) -> bool:
    """Whether the bundle passes as far as INTACT; higher checks are left out for speed."""
    verdict = climb(Context(bundle, world.store, world.compiled), "INTACT", LOWER)
    return LEVELS.index(verdict.level) >= LEVELS.index("INTACT")


def bundle_of(files: dict[str, bytes]) -> Bundle:
    bundle = Bundle(Path("bundle"))
    for name, content in files.items():
        bundle.add(name, content)
    return bundle


def flipped(data: bytes, draw: random.Random) -> bytes:
    changed = bytearray(data)
    changed[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
    return bytes(changed)


NAMES = [*names.FIXED, names.samples_name("jars"), names.samples_name("shelves")]


@pytest.mark.parametrize("name", NAMES)
def test_a_flipped_bit_in_any_file_is_refused(world: forge.World, genuine: forge.Forged, name: str) -> None:
    assert intact(world, bundle_of(genuine.files))
    draw = random.Random(name)
    for _ in range(FLIPS_A_FILE):
        files = {**genuine.files, name: flipped(genuine.files[name], draw)}
        assert not intact(world, bundle_of(files))


@pytest.mark.slow
def test_many_flipped_bits(world: forge.World, genuine: forge.Forged) -> None:
    """2,000 over all bytes of a bundle; those of signatures, archives and decisions have 2,000 each where they are."""
    draw = random.Random(2000)
    files = dict(genuine.files)
    for _ in range(2000):
        [name] = draw.choices(list(files), weights=[len(data) for data in files.values()])
        assert not intact(world, bundle_of({**files, name: flipped(files[name], draw)})), name


@pytest.mark.parametrize("name", NAMES)
def test_a_file_cut_or_grown_is_refused(world: forge.World, genuine: forge.Forged, name: str) -> None:
    data = genuine.files[name]
    for changed in (data[:-1], data[1:], data + b"\n", data + b"\0", b"", data + data):
        assert not intact(world, bundle_of({**genuine.files, name: changed}))


def to_tar(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


@pytest.mark.parametrize(("ending", "form"), [("b.zip", to_zip), ("b.tar.gz", to_tar)])
def test_a_flipped_bit_in_an_archive_is_refused_or_changes_no_file(
    world: forge.World,
    genuine: forge.Forged,
    tmp_path: Path,
    ending: str,
    form: Callable[[dict[str, bytes]], bytes],
) -> None:
    """Dates and modes in an archive mean nothing here; whatever does is covered."""
    whole, path, draw, refused = form(genuine.files), tmp_path / ending, random.Random(7), 0
    for _ in range(FLIPS_AN_ARCHIVE):
        path.write_bytes(flipped(whole, draw))
        bundle = open_bundle(path)
        if intact(world, bundle):
            assert bundle.files == genuine.files
        else:
            refused += 1
    assert refused > FLIPS_AN_ARCHIVE // 2
