"""The most memory that a process has used."""

from __future__ import annotations

import resource
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple


class Peak(NamedTuple):
    """Peaks of one process, in bytes."""

    memory: int
    """Resident set."""
    device: int
    """Allocated on its accelerator; 0 on a CPU."""


def together(peaks: Iterable[Peak]) -> Peak:
    """Of processes that ran at once, each on a device of its own."""
    found = list(peaks)
    return Peak(sum(one.memory for one in found), max((one.device for one in found), default=0))


def here() -> Peak:
    """This process so far, by VmHWM: getrusage's figure may be that of whoever started it, as Linux keeps it."""
    return Peak(_memory(), _device())


def resident() -> int:
    """Bytes of this process that are in memory now."""
    return _told("VmRSS:") or _memory()


def _memory() -> int:
    if known := _told("VmHWM:"):
        return known
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(most) if sys.platform == "darwin" else int(most) * 1024


def _told(name: str) -> int:
    """A size that Linux tells of this process, in bytes; 0 elsewhere."""
    try:
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith(name):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError, IndexError):
        pass
    return 0


def _device() -> int:
    """Only where torch is loaded: it is asked, never imported."""
    torch = sys.modules.get("torch")
    return int(torch.cuda.max_memory_allocated()) if torch is not None and torch.cuda.is_available() else 0
