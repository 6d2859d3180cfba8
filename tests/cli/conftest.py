"""Specs that may be edited, and folders of forged bundles: two benchmarks, several seeds, one bad among them."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from ftbench import builtin

sys.path.insert(0, str(Path(__file__).parent.parent / "verify"))

import forge


@pytest.fixture(scope="session", autouse=True)
def programs() -> Iterator[None]:
    """The programs of forged bundles can be run."""
    with forge.programs_run():
        yield


@dataclass(frozen=True)
class Submitted:
    """What an organiser has: bundles, the benchmarks and the store to judge them by."""

    bundles: Path
    options: tuple[str, ...]
    world: forge.World

    @property
    def good(self) -> str:
        return str(self.bundles / "mine-s1")


@pytest.fixture(scope="session")
def submitted(tmp_path_factory: pytest.TempPathFactory) -> Submitted:
    """Three seeds of one entry, another entry, one of another benchmark, an archive, a tampered and a broken bundle."""
    from ftbench.result.pack import to_zip

    root = tmp_path_factory.mktemp("submitted")
    first = forge.make_world(root / "first")
    second = forge.make_world(root / "second", lambda value: value["seeds"].update(partition=7))
    bundles = root / "bundles"
    for seed in (1, 2, 3):
        forge.write_folder(forge.make(first, seed).files, bundles / f"mine-s{seed}")
    other = forge.make(first, sets=("adapter.rank=2",))
    bundles.joinpath("other.zip").write_bytes(to_zip(other.files))
    forge.write_folder(forge.make(second).files, bundles / "elsewhere")
    bad = forge.make(first, seed=2)
    with bad.samples("jars") as lines:
        lines[0]["prompt"] = "an easier question"
    forge.reseal(bad)
    forge.write_folder(bad.files, bundles / "tampered")
    bundles.joinpath("broken.zip").write_bytes(b"no archive")
    stores = f"{root / 'first' / 'store'}:{root / 'second' / 'store'}"
    folders = [word for name in ("first", "second") for word in ("--benchmarks", str(root / name / "benchmarks"))]
    return Submitted(bundles, ("--store", stores, *folders), first)


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    """A copy of the quickstart's spec and pins."""
    folder = tmp_path / "specs"
    folder.mkdir()
    path = builtin.specs()["quickstart"]
    for name in ("quickstart.yaml", "quickstart.pins.json"):
        shutil.copy(path.with_name(name), folder / name)
    return folder / "quickstart.yaml"
