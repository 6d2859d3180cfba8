"""The site of `site_world`, built once for all of a session's processes."""

from __future__ import annotations

import fcntl
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "verify"))
sys.path.insert(0, str(Path(__file__).parent.parent / "signing"))
sys.path.insert(0, str(Path(__file__).parent))

import forge
from site_world import Built, submit


@pytest.fixture(scope="session", autouse=True)
def programs() -> Iterator[None]:
    """The programs of forged bundles can be run."""
    with forge.programs_run():
        yield


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """The site of all of it."""
    from ftbench.cli.main import run

    base = tmp_path_factory.getbasetemp()
    # Of several processes of one session, each of which has a folder below the session's, one builds it for all.
    root = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "site-world"
    root.mkdir(exist_ok=True)
    with (root / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        told = root / "words.json"
        if not told.exists():
            words = submit(root)
            assert run([*words, "--out", str(root / "site")]) == 0
            told.write_text(json.dumps(words))
    return Built(root / "site", root / "bundles", json.loads(told.read_text()))
