"""A benchmark with a data set of the hub whose items may not be passed on, and a bundle of it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "verify"))

import forge

HUB = {"kind": "hub", "repo": "a/b", "revision": "c" * 40, "files": ["a.csv"], "format": "csv", "redistribute": "no"}


@pytest.fixture(scope="session", autouse=True)
def programs() -> Iterator[None]:
    """The programs of forged bundles can be run."""
    with forge.programs_run():
        yield


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str], forge.World]:
    """The bundle, the words that say where its benchmark and its items are, and its world."""
    root = tmp_path_factory.mktemp("export")

    def change(value: dict[str, Any]) -> None:
        value["evaluation"]["tasks"][0]["source"] = HUB

    world = forge.make_world(root, change)
    forge.write_folder(forge.make(world).files, root / "bundle")
    words = ["--store", str(root / "store"), "--benchmarks", str(root / "benchmarks")]
    return root / "bundle", words, world
