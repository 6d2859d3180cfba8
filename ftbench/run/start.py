"""Where the seconds go between a run's start and its first round: marks of several processes, put in one order.

They are telemetry: they lie in the run's logs, in no hash and no bundle.
"""

from __future__ import annotations

import contextlib
import json
import time
from itertools import pairwise
from pathlib import Path

MARKS = "start.jsonl"


def mark(logs: Path, what: str, at: float | None = None) -> None:
    """Note that `what` begins now, or began `at` (seconds since 1970). A log that cannot be written is no reason to
    stop."""
    with contextlib.suppress(OSError), (logs / MARKS).open("a") as file:
        file.write(json.dumps({"at": time.time() if at is None else at, "what": what}) + "\n")


def begin(logs: Path) -> None:
    """Forget the marks of an earlier start."""
    with contextlib.suppress(OSError):
        (logs / MARKS).unlink(missing_ok=True)


def phases(logs: Path) -> list[tuple[str, float]]:
    """What was done, in order, and for how many seconds; the last mark ends the one before. Empty where nothing is
    known."""
    try:
        found = [json.loads(line) for line in (logs / MARKS).read_text().splitlines()]
        marks = sorted((float(one["at"]), str(one["what"])) for one in found)
    except (OSError, ValueError, KeyError, TypeError):
        return []
    return [(what, after - at) for (at, what), (after, _) in pairwise(marks)]


def told(logs: Path) -> str:
    """`first round after 12.1 s: 0.8 s checks, 5.0 s …`; empty where it is not known."""
    found = phases(logs)
    if not found:
        return ""
    parts = ", ".join(f"{what} {seconds:.1f} s" for what, seconds in found)
    return f"first round after {sum(seconds for _, seconds in found):.1f} s: {parts}"
