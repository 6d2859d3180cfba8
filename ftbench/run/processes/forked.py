"""Work shared out among processes made of this one: they share what it has loaded, and end with it.

Not for CUDA: a process that has used a device cannot be divided. Nor with several threads of torch: their pool does not
outlive the division.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection, wait
from typing import Any, TypeVar

from ftbench import codes
from ftbench.diagnostics import Diagnostic
from ftbench.errors import RunFailed
from ftbench.parallel import cores, end_with
from ftbench.run.processes import peaks

T = TypeVar("T")
R = TypeVar("R")

EACH = 2**30
"""Bytes of memory that a process is reckoned to ask for beside what it shares."""


def as_many() -> int:
    """Processes that this machine has cores and free memory for; at least one."""
    import psutil

    return max(1, min(cores(), int(psutil.virtual_memory().available * 0.8 / EACH)))


def each(work: Callable[[T], R], items: Sequence[T], processes: int, grown: list[int]) -> Iterator[tuple[int, R]]:
    """Number and result of each item, as they are done; in this process where one is enough.

    `grown` gets one number: the bytes by which the memory of all of them grew. What `work` raises is raised here,
    after the other processes were ended. Raises RunFailed (FTB561) where a process was killed.
    """
    processes = min(processes, len(items))
    if processes < 2:
        for number, item in enumerate(items):
            yield number, work(item)
        return
    made = multiprocessing.get_context("fork")
    crew: list[tuple[Any, Connection]] = []
    try:
        for _ in range(processes):
            ours, theirs = made.Pipe()
            others = [connection for _, connection in crew] + [ours]
            child = made.Process(target=_serve, args=(work, items, theirs, others, os.getpid()), daemon=True)
            child.start()
            theirs.close()
            crew.append((child, ours))
        yield from _deal([connection for _, connection in crew], len(items), grown)
    finally:
        for child, connection in crew:
            connection.close()
            child.kill()
            child.join()


def _deal(free: list[Connection], count: int, grown: list[int]) -> Iterator[tuple[int, Any]]:
    """Give each process the next number as it becomes free."""
    left, busy = iter(range(count)), dict[Connection, int]()
    for connection in free:
        busy[connection] = next(left)
        connection.send(busy[connection])
    memory: dict[Connection, int] = {}
    while busy:
        for ready in wait(list(busy)):
            assert isinstance(ready, Connection)
            number = busy.pop(ready)
            try:
                result, error, memory[ready] = ready.recv()
            except EOFError:
                message = "a process was killed, most likely because memory ran out"
                hint = "give fewer processes; what was answered is kept and is not asked again"
                raise RunFailed(Diagnostic(codes.OUT_OF_MEMORY, message, hint=hint)) from None
            if error is not None:
                raise error
            if (more := next(left, None)) is not None:
                busy[ready] = more
                ready.send(more)
            yield number, result
    grown.append(sum(memory.values()))


def _serve(work: Any, items: Any, connection: Connection, others: list[Connection], parent: int) -> None:
    """A process's life: item after item, and end with whoever sends their numbers."""
    end_with(parent)
    for other in others:
        other.close()
    before = peaks.resident()
    while True:
        try:
            number = connection.recv()
        except EOFError:
            os._exit(0)
        result, error = None, None
        try:
            result = work(items[number])
        except Exception as raised:  # raised again where the numbers come from
            error = raised
        connection.send((result, error, max(0, peaks.here().memory - before)))
