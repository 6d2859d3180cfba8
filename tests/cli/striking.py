"""A harness that strikes commands with signals at random moments, and tells what they left."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from ftbench.cli.main import run

SEED = int(os.environ.get("FTBENCH_TEST_SEED", "20261128"))
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
ENDED = {signal.SIGKILL: (-9,), signal.SIGTERM: (130,), signal.SIGINT: (130,)}
PATIENCE = 600.0


def temporary(folder: Path) -> list[Path]:
    """What lies in a temporary folder, but for PyTorch's own cache, which all processes of a user share."""
    return [path for path in folder.iterdir() if not path.name.startswith("torchinductor_")]


def tree(folder: Path) -> dict[str, bytes]:
    """Relative path and bytes of every file."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@dataclass
class Case:
    """One command: what lies there before, its words, and what of its files is compared."""

    words: Callable[[Path], list[str]]
    make: Callable[[Path], None] = lambda here: None
    done: tuple[str, ...] = ()
    """Codes that say that all is done already."""
    told: Callable[[dict[str, bytes]], Any] = field(default=lambda files: files)
    again: Callable[[Path], list[str]] | None = None
    """How it is gone on with, where that is not the same command."""
    swept: bool = False
    """Whether what a killed one left in the temporary folder is gone too after the next."""


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


def others(session: int, here: Path) -> list[str]:
    """Processes that are left of a session, or that know of the folder; those that are just ending have a moment."""
    for _ in range(100):
        found = []
        for process in psutil.process_iter():
            try:
                if process.pid == os.getpid() or process.status() == psutil.STATUS_ZOMBIE:
                    continue
                if os.getsid(process.pid) == session or any(str(here) in one for one in process.environ().values()):
                    found.append(" ".join(process.cmdline()))
            except (psutil.Error, OSError):
                continue
        if not found:
            break
        time.sleep(0.1)
    return found


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
        assert others(child, at) == [], said
        if kind != signal.SIGKILL:
            assert temporary(at / "tmp") == [], said
            assert not [name for name in tree(at / "world") if ".ftb-" in name], said
        hit += code != 0
        again, _ = ended(start((case.again or case.words)(at), at))
        said = (at / "said").read_text()
        assert again == 0 or any(code in said for code in case.done), said
        assert case.told(tree(at / "world")) == expected, said
        assert others(child, at) == [], said
        assert not case.swept or temporary(at / "tmp") == [], said
        shutil.rmtree(at)
    return hit


def mount(where: Path, options: str) -> bool:
    words = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(where)]
    return subprocess.run(words, capture_output=True, check=False).returncode == 0
