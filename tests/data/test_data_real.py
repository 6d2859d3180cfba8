"""The four domains over public files of their data sets: the digests that their rows had before rows were read by our
own readers, and have still. The files are not ours to hand on: FTBENCH_REALDATA names a folder with `index.json`
(`[{kind, name, commit, licence}]`) and each repository's files under `KIND/NAME/`."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ftbench import builtin
from ftbench.data.hub import Hub
from ftbench.data.pinning import lock
from ftbench.data.store import Store
from ftbench.spec.load import load_spec
from ftbench.spec.model import Spec

KNOWN = json.loads(Path(__file__).with_name("real_digests.json").read_text())
"""Domain → key of the pins → (rows, digest); of the partition the digest alone."""
FOLDER = os.environ.get("FTBENCH_REALDATA")


def variant(name: str) -> Spec:
    """The domain as far as the folder goes: other training sets of the same layout, no CareQA, another zip archive."""
    value = load_spec(builtin.specs()[name]).spec.model_dump(mode="json")
    tasks = [task for task in value["evaluation"]["tasks"] if task["name"] != "careqa"]
    value["evaluation"]["tasks"] = tasks
    for source in [value["data"]["source"], *(task["source"] for task in tasks)]:
        source |= {"rows": None, "sha256": None}
    return Spec.model_validate(value)


def serve(hub: Any, root: Path) -> None:
    for one in json.loads((root / "index.json").read_text()):
        folder = root / one["kind"] / one["name"]
        files = {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*.*"))}
        made = hub.add(one["kind"], one["name"], files, one["licence"])
        repository = hub.repositories[one["kind"], one["name"]]
        repository.commits[one["commit"]] = repository.commits.pop(made)
        repository.main = one["commit"]


@pytest.mark.slow
@pytest.mark.skipif(FOLDER is None, reason="FTBENCH_REALDATA names no folder")
@pytest.mark.parametrize("name", KNOWN)
def test_the_rows_of_the_domains_are_what_they_were(
    hub: Any, connect: Callable[[], Hub], tmp_path: Path, name: str
) -> None:
    serve(hub, Path(str(FOLDER)))
    pins = lock(variant(name), Store([tmp_path / "store"]), hub=connect)
    found = {key: [pin.rows, pin.digest] for key, pin in pins.sources.items()}
    assert pins.partition is not None
    assert found | {"partition": [None, pins.partition.digest]} == KNOWN[name]
