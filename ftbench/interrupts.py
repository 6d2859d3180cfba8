"""SIGTERM and SIGHUP end a command in order, as Ctrl-C does: what it holds goes, what it began is ended."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
from collections.abc import Iterator
from types import FrameType

if sys.platform == "win32":
    SIGNALS = (signal.SIGTERM,)
else:
    SIGNALS = (signal.SIGTERM, signal.SIGHUP)


@contextlib.contextmanager
def in_order() -> Iterator[None]:
    """Inside, both raise KeyboardInterrupt in the main thread; from another thread nothing is changed.

    A signal that this process was told to ignore, as `nohup` does with SIGHUP, is ignored still.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    found = {number: signal.getsignal(number) for number in SIGNALS}
    # None: a handler that was not set from Python, which could not be put back.
    before = {number: handler for number, handler in found.items() if handler not in (signal.SIG_IGN, None)}
    for number in before:
        signal.signal(number, interrupt)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
