"""One forged benchmark and one genuine bundle for all tests here."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import forge


@pytest.fixture(scope="session", autouse=True)
def programs() -> Iterator[None]:
    """The programs of forged bundles can be run."""
    with forge.programs_run():
        yield


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> forge.World:
    """A compiled benchmark with its store."""
    return forge.make_world(tmp_path_factory.mktemp("world"))


@pytest.fixture(scope="session")
def _genuine(world: forge.World) -> forge.Forged:
    return forge.make(world)


@pytest.fixture
def genuine(_genuine: forge.Forged) -> forge.Forged:
    """A bundle that reaches RESCORED; a fresh copy for each test."""
    return _genuine.copy()
