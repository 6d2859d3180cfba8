"""What trains and scores, struck: `run`, `sweep`, `merge` and a spot-run; two of each at once, and no room for one.

They do their work in processes of their own, which must end with them. `run --resume` is killed thirty times in
tests/app/test_app_kills.py; here it is the command, from its first moment on.
"""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from effort import times
from striking import SEED, Case, ended, mount, others, start, strike, temporary, tree, world

pytestmark = pytest.mark.slow

CASES = ("run", "sweep", "merge", "spot")
STRUCK = {name: times(2 if name in ("sweep", "devices") else 3, 6) for name in (*CASES, "devices")}
"""How often each is struck; a sweep is two runs, with `devices` at once."""
SHORT = ("quickstart", "--engine", "inline", "--set", "federation.rounds=2")
RUN = "runs/quickstart-rounds2-s1"
NONCE = "5a" * 8


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole run: its folder."""
    at = world(Case(lambda _: []), tmp_path_factory.mktemp("finished"))
    assert ended(start(["run", *SHORT, "--out", "runs"], at))[0] == 0, (at / "said").read_text()
    [run] = (at / "world" / "runs").iterdir()
    assert (at / "world" / RUN) == run
    return run


def adapters(files: dict[str, bytes]) -> Any:
    """What was trained and what it answered: the rest of a run has times in it. No temporary file, no lock's owner."""
    kept = ("adapter/adapter_model.safetensors", "result.json")
    left = sorted(name for name in files if ".ftb-" in name or "/tmp/" in name)
    found = {name: data for name, data in files.items() if name.endswith(kept[0])}
    scores = {n: json.loads(data)["scores"] for n, data in files.items() if n.endswith("bundle/" + kept[1])}
    return left, found, scores


def merged(files: dict[str, bytes]) -> dict[str, bytes]:
    return {name: data for name, data in files.items() if not name.startswith("runs/")}


@pytest.fixture
def cases(finished: Path) -> dict[str, Case]:
    def a_run(here: Path) -> None:
        shutil.copytree(finished, here / RUN)

    def go_on(at: Path) -> list[str]:
        """A run that had its folder already is resumed, as `run` says when it is stopped."""
        begun = (at / "world" / RUN / "run.json").is_file()
        return ["run", "--resume", RUN] if begun else ["run", *SHORT, "--out", "runs"]

    sweep = ("sweep", *SHORT, "--smoke", "--vary", "adapter.rank=2,4", "--out", "swept")
    spot = ("verify", f"{RUN}/bundle", "--spec", "quickstart", "--spot", "--nonce", NONCE, "--evidence", "spot.json")
    return {
        "run": Case(lambda _: ["run", *SHORT, "--out", "runs"], told=adapters, again=go_on, swept=True),
        "sweep": Case(lambda _: list(sweep), told=adapters, swept=True),
        "devices": Case(lambda _: [*sweep, "--devices", "cpu,cpu"], told=adapters, swept=True),
        "merge": Case(lambda _: ["merge", RUN, "--out", "merged"], a_run, told=merged, swept=True),
        "spot": Case(lambda _: list(spot), a_run, swept=True),
    }


@pytest.mark.parametrize("name", STRUCK)
def test_struck_at_random_moments(name: str, cases: dict[str, Case], tmp_path: Path) -> None:
    hit = strike(cases[name], tmp_path, STRUCK[name], random.Random(f"{SEED} {name}"))
    print(f"{name}: seed {SEED}, {hit} of {STRUCK[name]} hit before the end", file=sys.stderr)
    assert hit >= STRUCK[name] // 2


@pytest.mark.parametrize("name", CASES)
def test_two_at_once(name: str, cases: dict[str, Case], tmp_path: Path) -> None:
    """Both end: at what one alone makes, or the second says by a code that another is at it."""
    case = cases[name]
    whole = world(case, tmp_path / "whole")
    assert ended(start(case.words(whole), whole))[0] == 0, (whole / "said").read_text()
    both = world(case, tmp_path / "both")
    children = [start(case.words(both), both) for _ in range(2)]
    codes = [ended(child)[0] for child in children]
    said = (both / "said").read_text()
    assert "Traceback" not in said and "FTB902" not in said, said
    assert 0 in codes and all(code in (0, 1, 3, 5) for code in codes), (codes, said)
    assert codes == [0, 0] or re.search(r"FTB\d{3}", said), said
    left, expected = case.told(tree(both / "world")), case.told(tree(whole / "world"))
    if name == "run":  # two runs have a folder each, and the same adapter
        assert len(set(left[1].values()) | set(expected[1].values())) == 1 and left[0] == []
    else:
        assert left == expected, said
    assert [found for child in children for found in others(child, both)] == []
    assert temporary(both / "tmp") == []


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A temporary folder of a few pages. Needs the right to mount one."""
    where = tmp_path / "small"
    where.mkdir()
    if not mount(where, "size=16k,nr_inodes=4"):
        pytest.skip("a filesystem cannot be mounted here")
    try:
        yield where
    finally:
        os.system(f"umount -l '{where}'")


@pytest.mark.parametrize("name", ["sweep", "merge", "spot"])
def test_no_room_for_what_is_temporary(name: str, cases: dict[str, Case], tmp_path: Path, small: Path) -> None:
    """It needs none there and ends as ever, or says by a code that there is no room, and leaves nothing."""
    case = cases[name]
    at = world(case, tmp_path / "at")
    (at / "tmp").rmdir()
    (at / "tmp").symlink_to(small)
    child = start(case.words(at), at)
    code, _ = ended(child)
    said = (at / "said").read_text()
    print(f"{name}: exit {code}: {said.splitlines()[-3:]}", file=sys.stderr)
    assert "Traceback" not in said and "FTB902" not in said, said
    assert code == 0 or (code in (3, 4, 5) and re.search(r"FTB\d{3}", said)), (code, said)
    assert others(child, at) == []
    assert temporary(small) == []
