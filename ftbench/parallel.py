"""One thing after another done by several processes made of this one; what comes back is in order."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any, TypeVar

from ftbench.interrupts import SIGNALS

MOST = 8
"""Processes at most: each may hold a bundle of ten thousand items."""
_DIE_WITH_PARENT = 1
"""PR_SET_PDEATHSIG of Linux's prctl."""

T = TypeVar("T")
R = TypeVar("R")

_work: tuple[Callable[[Any], Any], Sequence[Any]] | None = None
"""What a process made of this one does; set in them alone while they are made."""


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def end_with(parent: int) -> None:
    """Let the system end this process with the one that made it."""
    if sys.platform == "linux":  # elsewhere a closed pipe ends it
        with contextlib.suppress(OSError, AttributeError):
            import ctypes

            ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def each(
    work: Callable[[T], R], items: Sequence[T], tell: Callable[[T], None] = lambda item: None
) -> Generator[R, None, None]:
    """`work` of every item, in their order; `tell` is called when an item's turn to be waited for has come.

    On Linux as many processes as cores may be used here, MOST at most; with one, within such a process, and on systems
    whose own libraries do not outlive a fork, in this one.
    They see what this process has, so that neither `work` nor items are copied; what `work` returns is, and must be
    what `pickle` takes. What it raises is raised here. Items of a process that was ended from outside are done here.
    """
    count = min(len(items), cores(), MOST) if sys.platform.startswith("linux") else 1
    if count < 2 or _work is not None:
        for item in items:
            tell(item)
            yield work(item)
        return
    done = 0
    try:
        for result in _spread(work, items, count, tell):
            done += 1
            yield result
    except BrokenProcessPool:
        yield from map(work, items[done:])


def _spread(work: Callable[[T], R], items: Sequence[T], count: int, tell: Callable[[T], None]) -> Iterator[R]:
    made = multiprocessing.get_context("fork")
    pool = ProcessPoolExecutor(count, mp_context=made, initializer=_begin, initargs=(os.getpid(), work, items))
    try:
        waiting = [pool.submit(_do, number) for number in range(len(items))]
        for item, one in zip(items, waiting, strict=True):
            tell(item)
            yield one.result()
    except BaseException:
        # They may be writing where whoever breaks off removes.
        for process in list((pool._processes or {}).values()):
            process.kill()
            process.join()
        raise
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _begin(parent: int, work: Callable[[Any], Any], items: Sequence[Any]) -> None:
    """A process's beginning: it ends with whoever made it, and leaves Ctrl-C to them. What it would do at the other
    signals is theirs to do: it is ended by them at once."""
    global _work  # noqa: PLW0603 - a process of its own
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for number in SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
    end_with(parent)
    _work = (work, items)


def _do(number: int) -> Any:
    assert _work is not None
    work, items = _work
    return work(items[number])
