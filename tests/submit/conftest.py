"""Forged bundles to hand in, and a folder of results."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "verify"))
sys.path.insert(0, str(Path(__file__).parent.parent / "signing"))

import forge
import keys

from ftbench.result import names
from ftbench.signing import keygen, kinds
from ftbench.submit.judge import Judge


@pytest.fixture(scope="session", autouse=True)
def programs() -> Iterator[None]:
    """The programs of forged bundles can be run."""
    with forge.programs_run():
        yield


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> forge.World:
    return forge.make_world(tmp_path_factory.mktemp("world"))


@pytest.fixture(scope="session")
def judge(world: forge.World) -> Judge:
    return Judge(world.store, [world.root / "benchmarks"])


@pytest.fixture(scope="session")
def key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The submitter's."""
    return keys.make_key(tmp_path_factory.mktemp("keys"), "ada")


@pytest.fixture(scope="session")
def signed(world: forge.World, key: Path) -> dict[int, dict[str, bytes]]:
    """Seed → files of a signed bundle."""
    made = {}
    for seed in (1, 2):
        files = dict(forge.make(world, seed).files)
        files[names.SIGNATURE] = keygen.sign(files[names.MANIFEST], key, kinds.BUNDLE)
        made[seed] = files
    return made
