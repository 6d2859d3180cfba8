"""Finding and ending every process of a run, also after whoever started them was killed.

Each process of a run carries a marker in its environment. Descendants inherit it, however they detach themselves.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import psutil

MARKER = "FTBENCH_RUN"
"""The environment variable."""

# A user's settings for Flower and Ray (an address of some cluster, another home) must not reach a private SuperLink,
# and no proxy may stand between processes of one machine.
_FOREIGN = ("FLWR_", "RAY_", "FTBENCH_", "PYTHONWARNINGS")
_PROXIES = ("http_proxy", "https_proxy", "all_proxy", "ws_proxy", "wss_proxy")


def new_token() -> str:
    """A random word for a new run."""
    return secrets.token_hex(16)


def environment(marker: str, base: Mapping[str, str] | None = None) -> dict[str, str]:
    """Environment for a run's processes: ours without foreign settings, offline, one thread, marked."""
    source = os.environ if base is None else base
    kept = {
        name: value for name, value in source.items() if not name.startswith(_FOREIGN) and name.lower() not in _PROXIES
    }
    return kept | {
        MARKER: marker,
        "HF_HUB_OFFLINE": "1",
        "HF_DATASETS_OFFLINE": "1",
        "TRANSFORMERS_OFFLINE": "1",
        "TOKENIZERS_PARALLELISM": "false",
        "OMP_NUM_THREADS": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUNBUFFERED": "1",
        "NO_PROXY": "*",
    }


def beside(marker: str) -> str:
    """The marker of what goes on beside a run's engine, which ends everything that carries the run's own."""
    return f"{marker}-beside"


def marked(marker: str) -> list[psutil.Process]:
    """Living processes that carry the marker, without the caller."""
    import psutil

    found = []
    for process in psutil.process_iter():
        try:
            if process.pid != os.getpid() and _carries(process, marker):
                found.append(process)
        except psutil.Error:  # ended in between, a zombie, or another user's
            continue
    return found


def end(marker: str, *, descendants: bool = False, patience: float = 20.0) -> list[int]:
    """Kill every process that carries the marker and, if asked, every descendant of the caller.

    Repeats until none is left, because a process may start another one while it is looked for. Returns the ids of
    those that are still there after `patience` seconds (a process in uninterruptible sleep cannot be killed).
    """
    import time

    import psutil

    until = time.monotonic() + patience
    while True:
        found = {process.pid: process for process in marked(marker)}
        if descendants:
            found |= {child.pid: child for child in psutil.Process().children(recursive=True) if _lives(child)}
        if not found or time.monotonic() > until:
            return sorted(found)
        for process in found.values():
            try:
                process.kill()
            except psutil.Error:
                continue
        psutil.wait_procs(list(found.values()), timeout=0.5)


def _carries(process: psutil.Process, marker: str) -> bool:
    return process.environ().get(MARKER) == marker and _lives(process)


def _lives(process: psutil.Process) -> bool:
    import psutil

    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False
