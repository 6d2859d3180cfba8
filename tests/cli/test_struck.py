"""Commands struck by SIGKILL, SIGTERM and SIGINT at random moments, and two of each at once.

Given again, a command ends at the bytes of one that nobody struck, or it stops with a code since all is done already.
A process is forked from this one, so that what it is struck in is its work, not Python's start; the moment is drawn as
a share of the processor time that the whole command took, whatever else the machine does.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest
from test_benchmark_commands import publish, tree

from ftbench.cli.main import run

sys.path.insert(0, str(Path(__file__).parent.parent / "signing"))
sys.path.insert(0, str(Path(__file__).parent.parent / "hub"))

import keys
import layouts
from server import HubServer

pytestmark = pytest.mark.slow

SEED = int(os.environ.get("FTBENCH_TEST_SEED", "20261128"))
STRUCK = 60
"""In all; each command and signal has its share."""
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
ENDED = {signal.SIGKILL: (-9,), signal.SIGTERM: (130,), signal.SIGINT: (130,)}
PATIENCE = 600.0


@dataclass
class Case:
    """One command: what lies there before, its words, and what of its files is compared."""

    words: Callable[[Path], list[str]]
    make: Callable[[Path], None] = lambda here: None
    done: tuple[str, ...] = ()
    """Codes that say that all is done already."""
    told: Callable[[dict[str, bytes]], Any] = field(default=lambda files: files)


def start(words: list[str], here: Path) -> int:
    """A process of its own session that carries the command out; its id. What it says goes to `here`/said."""
    child = os.fork()
    if child == 0:
        code = 70
        try:
            os.setsid()
            for number in SIGNALS[1:]:
                signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
            os.chdir(here / "world")
            os.environ["TMPDIR"], tempfile.tempdir = str(here / "tmp"), None
            said = os.open(here / "said", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            os.dup2(said, 1)
            os.dup2(said, 2)
            sys.stdout, sys.stderr = open(1, "w", closefd=False), open(2, "w", closefd=False)  # noqa: SIM115
            code = run(words)
        finally:
            os._exit(code)
    return child


def processor_seconds(process: psutil.Process) -> float:
    """Of a process, of those that it waited for, and of those that it has: a site is built by several."""
    used = 0.0
    with contextlib.suppress(psutil.Error):
        for one in [process, *process.children(recursive=True)]:
            times = one.cpu_times()
            used += times.user + times.system
            used += times.children_user + times.children_system if one == process else 0.0
    return used


def ended(child: int, number: signal.Signals | None = None, after: float = 0.0) -> tuple[int, float]:
    """Wait for it, and strike it once it has used so much processor time: exit code (or minus the signal) and time."""
    began = time.monotonic()
    process = psutil.Process(child)
    while time.monotonic() - began < PATIENCE:
        pid, status, usage = os.wait4(child, os.WNOHANG)
        if pid:
            return os.waitstatus_to_exitcode(status), usage.ru_utime + usage.ru_stime
        if number is not None and processor_seconds(process) >= after:
            os.kill(child, number)
            number = None
        time.sleep(0.002)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    raise AssertionError(f"it did not end in {PATIENCE} s")


def others(session: int) -> list[str]:
    """Processes that are left of a session; those that are just ending have a moment."""
    for _ in range(100):
        found = []
        for process in psutil.process_iter():
            try:
                if os.getsid(process.pid) == session and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(" ".join(process.cmdline()))
            except (psutil.Error, OSError):
                continue
        if not found:
            break
        time.sleep(0.1)
    return found


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


def world(case: Case, at: Path) -> Path:
    (at / "world").mkdir(parents=True)
    (at / "tmp").mkdir()
    case.make(at / "world")
    return at


def strike(case: Case, tmp_path: Path, count: int, draw: random.Random) -> int:
    """Strike the command until it was hit before its end so many times, or ten times as often was struck at: a quick
    command is over before the signal comes. How often it was hit."""
    whole = world(case, tmp_path / "whole")
    code, used = ended(start(case.words(whole), whole))
    assert code == 0, (whole / "said").read_text()
    expected, hit = case.told(tree(whole / "world")), 0
    for number in range(10 * count):
        if hit == count:
            break
        at = world(case, tmp_path / f"struck-{number}")
        kind = SIGNALS[hit % len(SIGNALS)]
        child = start(case.words(at), at)
        code, _ = ended(child, kind, draw.uniform(0, used))
        said = (at / "said").read_text() if (at / "said").exists() else ""
        assert code in (0, *ENDED[kind]), (code, said)
        assert "Traceback" not in said and "FTB902" not in said, said
        assert others(child) == [], said
        if kind != signal.SIGKILL:
            assert list((at / "tmp").iterdir()) == [], said
            assert not [name for name in tree(at / "world") if ".ftb-" in name], said
        hit += code != 0
        again, _ = ended(start(case.words(at), at))
        said = (at / "said").read_text()
        assert again == 0 or any(code in said for code in case.done), said
        assert case.told(tree(at / "world")) == expected, said
        shutil.rmtree(at)
    return hit


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


def mount(where: Path, options: str) -> bool:
    words = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(where)]
    return subprocess.run(words, capture_output=True, check=False).returncode == 0


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
