"""Processes as /proc shows them from outside: what a tree of them uses, and when one has ended.

Read by `ftbench_sandbox`.
"""

from __future__ import annotations

import contextlib
import os
import select
from pathlib import Path


class Watched:
    """Tells when a process has ended: `descriptor` becomes readable. It is -1 where the process was gone before."""

    def __init__(self, process: int) -> None:
        try:
            self.descriptor = os.pidfd_open(process)
        except ProcessLookupError:
            self.descriptor = -1

    def __enter__(self) -> Watched:
        return self

    def __exit__(self, *_: object) -> None:
        if self.descriptor >= 0:
            os.close(self.descriptor)

    def wait(self, seconds: float) -> None:
        """Until it has ended, or for that long."""
        poll = select.poll()
        if self.descriptor >= 0:
            poll.register(self.descriptor, select.POLLIN)
            poll.poll(1000 * seconds)


def children(parent: int) -> list[int]:
    """The processes that a process has started, whichever of its threads did; none where it is gone."""
    found: list[int] = []
    with contextlib.suppress(OSError):
        for thread in Path("/proc", str(parent), "task").iterdir():
            found += map(int, (thread / "children").read_text().split())
    return found


def usage(root: int) -> tuple[float, int]:
    """CPU seconds and resident bytes of a process and everything below it, from /proc; ended children count too."""
    ticks, pages, waiting = 0, 0, [root]
    while waiting:
        folder = Path("/proc", str(waiting.pop()))
        with contextlib.suppress(OSError, ValueError, IndexError):
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            ticks += sum(map(int, fields[11:15]))
            pages += int(fields[21])
            waiting += children(int(folder.name))
    return ticks / os.sysconf("SC_CLK_TCK"), pages * os.sysconf("SC_PAGE_SIZE")
