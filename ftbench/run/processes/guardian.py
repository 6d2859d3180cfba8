"""The guardian: starts one command and sees to it that nothing of it outlives whoever asked for it.

Runs as a process of its own: `python -m ftbench.run.processes.guardian MARKER TEMPORARY LOG NETWORK COMMAND…`. Where
NETWORK is `own`, it and the command are in a network of their own (`network.leave`). It holds the reading end of a
pipe; when the other end closes, because the asker is done or was killed with SIGKILL, it kills every process below it
or marked like it, removes the temporary folder and ends. It also ends when the command does.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from types import FrameType

from ftbench.run.processes.network import leave
from ftbench.run.processes.tree import end

PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h
OWN, SHARED = "own", "shared"
"""Whether the command has a network of its own, or the machine's."""
KEPT_PATH = "FTBENCH_PYTHONPATH"
"""Holds the command's PYTHONPATH while the guardian has its own."""


def main(marker: str, temporary: Path, log: Path, network: str, command: list[str]) -> int:
    """Run `command` until it ends or standard input closes; returns its exit status, or 0 after a clean stop."""
    _adopt_orphans()
    asked: list[int] = []

    def ask(number: int, _frame: FrameType | None) -> None:
        asked.append(number)

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, ask)
    try:
        if network == OWN:
            leave()
        with log.open("ab") as out:
            child = subprocess.Popen(  # noqa: S603  (a list, from our own engine)
                command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, cwd=temporary, env=_environment()
            )
        print(child.pid, flush=True)
        status = 0
        while not asked:
            readable, _, _ = select.select([sys.stdin], [], [], 0.2)
            if readable and not os.read(sys.stdin.fileno(), 4096):
                break
            ended = _reap(child.pid)
            if ended is not None:
                status = ended
                break
        return status
    finally:
        left = end(marker, descendants=True)
        _reap(0)
        shutil.rmtree(temporary, ignore_errors=True)
        if left:
            with log.open("ab") as out:
                out.write(f"processes that could not be ended: {left}\n".encode())


def _environment() -> dict[str, str]:
    env = dict(os.environ)
    path = env.pop(KEPT_PATH, "")
    env.pop("PYTHONPATH", None)
    return env | ({"PYTHONPATH": path} if path else {})


def _adopt_orphans() -> None:
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _reap(child: int) -> int | None:
    """Collect every ended child; the exit status of `child` if it is among them (at least 1: it should not end)."""
    found = None
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return found
        if pid == 0:
            return found
        if pid == child:
            found = max(os.waitstatus_to_exitcode(status), 1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), sys.argv[4], sys.argv[5:]))
