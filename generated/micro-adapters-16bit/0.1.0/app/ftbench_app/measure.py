"""What is measured and reported, never hashed: time and memory."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path

from .files import append_line, drop_torn_tail


def peak_memory_bytes() -> int:
    """Largest resident set of this process so far, in bytes; 0 where the system does not say.

    Linux keeps getrusage's figure across exec, so a small process would report the size of the one that started it;
    VmHWM belongs to the process's own memory.
    """
    if peak := _status("VmHWM"):
        return peak
    try:
        import resource
    except ImportError:
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(peak) if sys.platform == "darwin" else int(peak) * 1024


def resident_bytes() -> int:
    """Resident set of this process now, in bytes; 0 where the system does not say."""
    return _status("VmRSS")


def _status(name: str) -> int:
    try:
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith(f"{name}:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError, IndexError):
        pass
    return 0


def peak_device_bytes() -> int:
    """Most memory that this process has had allocated on its CUDA device so far, in bytes; 0 on a CPU."""
    import torch

    return int(torch.cuda.max_memory_allocated()) if torch.cuda.is_available() else 0


def peak_reserved_bytes() -> int:
    """Most memory that torch's allocator has held on this process's CUDA device so far, in bytes; 0 on a CPU."""
    import torch

    return int(torch.cuda.max_memory_reserved()) if torch.cuda.is_available() else 0


class Measurements:
    """`measurements.jsonl`: one line for each round that ran to its end, a repeated round again."""

    def __init__(self, path: Path) -> None:
        self.path = path
        drop_torn_tail(path)

    def add(
        self,
        round_number: int,
        seconds: float,
        peak: int,
        device_peak: int = 0,
        *,
        deterministic: bool = True,
        sent: tuple[int, int] = (0, 0),
        clients: Mapping[str, int] | None = None,
    ) -> None:
        """Record one round: wall time in seconds, peak resident set and peak device memory in bytes over server and
        clients, whether everyone computed in a way that gives the same bits again, the bytes sent down and up, and
        what clients measured of themselves alone."""
        line = {
            "round": round_number,
            "seconds": round(seconds, 6),
            "peak_memory_bytes": peak,
            "peak_device_bytes": device_peak,
            "deterministic": deterministic,
            "bytes_down": sent[0],
            "bytes_up": sent[1],
            "clients": dict(clients or {}),
        }
        append_line(self.path, json.dumps(line, sort_keys=True).encode() + b"\n")
