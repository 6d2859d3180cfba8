"""Several cells of a sweep at once: each in a process of its own, on a device of its own, under a lock of its own.

A cell's process is the sweep's command with `--cell N`. It holds the sweep's folder together with other cells, and its
own lock alone, so that processes of several machines may work in one folder. With `--tied` it ends in order when its
standard input is closed, so also when the sweep's process was killed.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ftbench import codes
from ftbench.diagnostics import Diagnostic, Place
from ftbench.errors import FtbenchError, InvalidInput, MissingResource, RunFailed, RunIncomplete

CPU = "cpu"
VISIBLE = "CUDA_VISIBLE_DEVICES"
LOCKS = ".locks"
"""Folder of the cells' locks, in the sweep's."""
TIED = "--tied"
"""Has a cell's process end with the sweep's."""
GRACE = 60.0
"""Seconds that a cell's process has to end in order when the sweep is stopped or gone."""
_CLASSES: dict[int, type[FtbenchError]] = {
    one.exit_code: one for one in (InvalidInput, MissingResource, RunFailed, RunIncomplete)
}


def devices(text: str, found: Callable[[], Sequence[str]]) -> list[str]:
    """The devices that `0-7`, `0,2`, `GPU-name` or `cpu,cpu` name, each for one cell at a time.

    Raises InvalidInput (FTB531) for a number that is no device here, and for what names none.
    """
    named: list[str] = []
    for part in filter(None, map(str.strip, text.split(","))):
        first, dash, last = part.partition("-")
        if dash and first.isdecimal() and last.isdecimal():
            named += map(str, range(int(first), int(last) + 1))
        else:
            named.append(part)
    numbers = [int(one) for one in named if one.isdecimal()]
    there = len(found()) if numbers else 0
    twice = sorted({one for one in named if one != CPU and named.count(one) > 1})
    other = [one for one in named if not (one.isdecimal() or one == CPU or one.startswith(("GPU-", "MIG-")))]
    if not named or other or twice or any(number >= there for number in numbers):
        told = (
            f"device {twice[0]} is named twice" if twice else f"there are {there} CUDA devices" if numbers else "none"
        )
        told = f"`{other[0]}` is neither a number nor what nvidia-smi calls a device" if other else told
        message = f"`--devices {text}` does not name devices of this machine: {told}"
        raise InvalidInput(Diagnostic(codes.NO_DEVICE, message, hint="give such as 0-3, 0,2 or cpu,cpu"))
    return named


@contextlib.contextmanager
def hold_cell(out: Path, cell: Path) -> Iterator[None]:
    """Hold one cell of the sweep in `out`, on whatever machine. Raises RunFailed (FTB500) where somebody else does."""
    (out / LOCKS).mkdir(parents=True, exist_ok=True)
    # A lock on a part of the file is one that network file systems know as well.
    with (out / LOCKS / cell.name).open("a") as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            message = "another process carries this cell out"
            raise RunFailed(Diagnostic(codes.BUSY, message, Place(str(cell)), "wait until it is done")) from None
        yield


def freed(out: Path, cells: Mapping[int, Path], seconds: float = GRACE) -> list[int]:
    """Which of these cells, by their numbers, nobody holds, or no longer within so many seconds.

    The cells of a sweep that was killed take a while to end.
    """
    until, found = time.monotonic() + seconds, set[int]()
    while True:
        for number in cells.keys() - found:
            with contextlib.suppress(RunFailed), hold_cell(out, cells[number]):
                found.add(number)
        if len(found) == len(cells) or time.monotonic() > until:
            return sorted(found)
        time.sleep(0.2)


@dataclass
class Going:
    """A cell that is being carried out."""

    number: int
    """Of the cell, from 1 on."""
    place: int
    """Of its device among those given."""
    process: subprocess.Popen[bytes]
    said: Path
    """What it prints on standard output."""
    log: Path
    began: float


def work(
    numbers: Sequence[int],
    places: Sequence[str],
    command: Sequence[str],
    folder: Path,
    *,
    on_start: Callable[[Going], None],
    on_end: Callable[[Going, FtbenchError | None], None],
) -> None:
    """Carry out these cells, one a place at a time, by `command --cell N`; what they say lies in `folder`.

    `on_end` is told why a cell failed. Whatever is raised here, Ctrl-C too, ends the cells in order; the same command
    goes on with them.
    """
    folder.mkdir(parents=True, exist_ok=True)
    left, free, going = list(numbers), list(range(len(places))), list[Going]()
    try:
        while left or going:
            while left and free:
                going.append(_start(left.pop(0), free.pop(0), places, command, folder))
                on_start(going[-1])
            time.sleep(0.1)
            for one in [one for one in going if one.process.poll() is not None]:
                _loose(one)
                going.remove(one)
                free.append(one.place)
                on_end(one, failure(one))
    finally:
        _end(going)


def _start(number: int, place: int, places: Sequence[str], command: Sequence[str], folder: Path) -> Going:
    said, log = folder / f"cell-{number}.json", folder / f"cell-{number}.log"
    device = places[place]
    with said.open("wb") as out, log.open("ab") as errors:
        process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
            [*command, "--cell", str(number), TIED, "--json"],
            stdin=subprocess.PIPE,  # held open for as long as we live: the cell ends when it is closed
            stdout=out,
            stderr=errors,
            env={**os.environ, VISIBLE: "" if device == CPU else device},
            start_new_session=True,  # Ctrl-C is ours to handle
        )
    if device == CPU:
        _share_cores(process.pid, places[:place].count(CPU), places.count(CPU))
    return Going(number, place, process, said, log, time.monotonic())


def _share_cores(pid: int, share: int, shares: int) -> None:
    """Cells on the CPU part its cores among them: a cell takes as many processes as it sees cores."""
    if shares < 2 or not hasattr(os, "sched_setaffinity"):
        return
    cores = sorted(os.sched_getaffinity(0))
    with contextlib.suppress(OSError):
        os.sched_setaffinity(pid, cores[share % len(cores) :: shares] or cores)


def failure(one: Going) -> FtbenchError | None:
    """Why an ended cell failed, by what it said; None where it did not."""
    code = one.process.returncode
    if code == 0:
        return None
    found: dict[str, Any] = {}
    with contextlib.suppress(OSError, ValueError):
        runs = json.loads(one.said.read_bytes())["runs"]
        found = next((run for run in runs if run.get("code")), {})
    message = found.get("problem") or f"the cell's process ended with exit code {code}"
    kind = _CLASSES.get(code, RunFailed)
    return kind(Diagnostic(found.get("code") or codes.CELL_ENDED, message, Place(str(one.log))))


def _end(going: Sequence[Going]) -> None:
    """Ask each to end in order, and end those that do not."""
    for one in going:
        with contextlib.suppress(ProcessLookupError):
            one.process.send_signal(signal.SIGTERM)
    until = time.monotonic() + GRACE
    for one in going:
        try:
            one.process.wait(max(0.0, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            one.process.kill()
            one.process.wait()
        _loose(one)


def _loose(one: Going) -> None:
    """Let go of an ended cell's standard input."""
    if one.process.stdin is not None:
        one.process.stdin.close()


def own_command() -> list[str]:
    """How this program is started again, whatever lies in the current folder."""
    return [sys.executable, "-P", "-m", "ftbench"]
