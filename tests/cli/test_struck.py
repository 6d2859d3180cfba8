"""Commands struck by SIGKILL, SIGTERM and SIGINT at random moments, and two of each at once.

Given again, a command ends at the bytes of one that nobody struck, or it stops with a code since all is done already.
A process is forked from this one, so that what it is struck in is its work, not Python's start; the moment is drawn as
a share of the processor time that the whole command took, whatever else the machine does.
"""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from striking import SEED, SIGNALS, Case, ended, mount, start, strike, tree, world
from test_benchmark_commands import publish

from ftbench.cli.main import run

sys.path.insert(0, str(Path(__file__).parent.parent / "signing"))
sys.path.insert(0, str(Path(__file__).parent.parent / "hub"))

import keys
import layouts
from server import HubServer

pytestmark = pytest.mark.slow

STRUCK = 60
"""In all; each command and signal has its share."""


@pytest.fixture
def cases(submitted: Any, spec: Path, tmp_path: Path) -> dict[str, Case]:
    """The commands that write what somebody keeps."""
    ada, val = keys.make_key(tmp_path, "ada"), keys.make_key(tmp_path, "val")
    by = ["--verifier", "val@example.org", "--key", str(val), "--results", "results", *submitted.options]
    bundles = str(submitted.bundles)

    def specs(here: Path, *, pinned: bool = True) -> None:
        shutil.copytree(spec.parent, here / "specs")
        if not pinned:
            (here / "specs" / "quickstart.pins.json").unlink()

    def published(here: Path) -> None:
        specs(here)
        publish(here / "specs" / "quickstart.yaml")

    def bundle(here: Path) -> None:
        shutil.copytree(submitted.good, here / "bundle")

    def handed_in(here: Path) -> None:
        (here / "results").mkdir()
        assert run(["submit", "new", "mine-s1", "--bundle", submitted.good, "--results", str(here / "results")]) == 0

    def received(here: Path) -> None:
        handed_in(here)
        words = [str(here / "results") if one == "results" else one for one in by]
        assert run(["submit", "receive", *words]) == 0

    def lines(files: dict[str, bytes]) -> Any:
        """Decisions have the time in them, and so has the chain."""
        chain = [json.loads(line) for line in files["results/decisions.jsonl"].splitlines()]
        rest = {name: data for name, data in files.items() if "decisions" not in name}
        return [(one["body"]["event"], one["body"]["document"]) for one in chain], rest

    here = "specs/quickstart.yaml"
    return {
        "lock": Case(lambda _: ["lock", here, "--store", "store"], lambda at: specs(at, pinned=False)),
        "compile": Case(lambda _: ["compile", here, "--out", "out"], specs),
        "publish": Case(lambda _: ["publish", here, "--out", "out"], published),
        "pack": Case(lambda _: ["pack", "bundle", "--out", "it.zip"], bundle),
        "sign": Case(lambda _: ["sign", "bundle", "--key", str(ada)], bundle),
        "site": Case(lambda _: ["site", "build", bundles, "-o", "site", *submitted.options]),
        "leaderboard": Case(lambda _: ["leaderboard", bundles, "--out", "TABLE.md", *submitted.options]),
        "export": Case(
            lambda _: [
                *("export", "eee", "bundle", "--organization", "us", "--retrieved", "1", "--out", "out"),
                *submitted.options,
            ],
            bundle,
        ),
        "submit": Case(
            lambda _: ["submit", "new", "mine", "--bundle", submitted.good, "--results", "results"], done=("FTB912",)
        ),
        "receive": Case(lambda _: ["submit", "receive", *by], handed_in, told=lines),
        "decide": Case(lambda _: ["decide", "--pending", *by], received, told=lines),
    }


CASES = ("lock", "compile", "publish", "pack", "sign", "site", "leaderboard", "export", "submit", "receive", "decide")


@pytest.mark.parametrize("name", CASES)
def test_struck_at_random_moments(name: str, cases: dict[str, Case], tmp_path: Path) -> None:
    draw = random.Random(f"{SEED} {name}")
    count = -(-STRUCK // (len(CASES) * len(SIGNALS))) * len(SIGNALS)
    hit = strike(cases[name], tmp_path, count, draw)
    print(f"{name}: seed {SEED}, {hit} of {count} hit before the end", file=sys.stderr)
    assert hit >= count // 2


def test_a_fetch_is_struck(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with HubServer() as hub:
        hub.add("model", "some/micro", layouts.builtin_model(), "apache-2.0")
        monkeypatch.setenv("HF_ENDPOINT", hub.endpoint)
        words = ["data", "fetch", "--model", "some/micro", "--store", "store"]
        case = Case(
            lambda _: words, told=lambda files: {n: d for n, d in files.items() if not n.startswith("store/tmp")}
        )
        hit = strike(case, tmp_path, 6, random.Random(f"{SEED} fetch"))
    print(f"fetch: seed {SEED}, {hit} of 6 hit before the end", file=sys.stderr)
    assert hit >= 3


@pytest.mark.parametrize("name", CASES)
def test_two_at_once(name: str, cases: dict[str, Case], tmp_path: Path) -> None:
    """Both end, and at what one alone makes; a second that comes too late may say so by its code."""
    case = cases[name]
    whole = world(case, tmp_path / "whole")
    assert ended(start(case.words(whole), whole))[0] == 0, (whole / "said").read_text()
    both = world(case, tmp_path / "both")
    codes = [ended(child)[0] for child in [start(case.words(both), both) for _ in range(2)]]
    said = (both / "said").read_text()
    assert "Traceback" not in said and "FTB902" not in said, said
    assert 0 in codes and all(code in (0, 1, 3) for code in codes), (codes, said)
    assert codes == [0, 0] or re.search(r"FTB\d{3}", said), said
    assert case.told(tree(both / "world")) == case.told(tree(whole / "world")), said
    assert list((both / "tmp").iterdir()) == []


# --- no room ---


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A filesystem of its own. Needs the right to mount one."""
    where = tmp_path / "disk"
    where.mkdir()
    if not mount(where, "size=64m"):
        pytest.skip("a filesystem cannot be mounted here")
    try:
        yield where
    finally:
        subprocess.run(["umount", "-l", str(where)], capture_output=True, check=False)


@pytest.mark.parametrize("tight", ["full", "half", "no inodes", "read-only"])
@pytest.mark.parametrize("name", CASES)
def test_no_room(name: str, tight: str, cases: dict[str, Case], tmp_path: Path, disk: Path) -> None:
    """A clear stop; what was there is there still, what is new is whole; with room it ends as where there was room."""
    case = cases[name]
    whole = world(case, tmp_path / "whole")
    before = tree(whole / "world")
    assert ended(start(case.words(whole), whole))[0] == 0, (whole / "said").read_text()
    expected = tree(whole / "world")
    at, inside = tmp_path / "tight", disk / "inside"
    for folder in (at / "tmp", inside):
        folder.mkdir(parents=True)
    case.make(inside)
    mine = tree(inside)  # decisions have the time in them, so it is not that of the other
    (at / "world").symlink_to(inside)
    state = os.statvfs(disk)
    used, inodes = (state.f_blocks - state.f_bfree) * state.f_frsize, state.f_files - state.f_ffree
    needed = sum(4096 * -(-len(data) // 4096) for path, data in expected.items() if before.get(path) != data)
    options = {
        "full": f"size={max(used, 4096)}",
        "half": f"size={max(used + needed // 2, 4096)}",
        "no inodes": f"nr_inodes={inodes}",
        "read-only": "ro",
    }[tight]
    assert mount(disk, f"remount,{options}"), options
    code, _ = ended(start(case.words(at), at))
    said = (at / "said").read_text()
    if tight == "half" and code == 0:  # of one small file a half is the whole
        return
    assert code in (3, 4) and re.search(r"FTB\d{3}", said), (code, said)
    assert "Traceback" not in said and "FTB902" not in said, said
    seen = tree(inside)
    assert mine.keys() <= seen.keys(), said
    assert [path for path, data in seen.items() if data not in (mine.get(path), expected.get(path))] == [], said
    assert list((at / "tmp").iterdir()) == []
    assert mount(disk, "remount,rw,size=64m,nr_inodes=10000")
    assert ended(start(case.words(at), at))[0] == 0, (at / "said").read_text()
    assert case.told(tree(inside)) == case.told(expected)
