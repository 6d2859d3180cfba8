"""How many steps of a round a client has taken, for who looks on while it trains. Of no use to the run itself."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

NAME = "steps.jsonl"
EVERY = 1.0
"""Seconds between two lines of one client."""


def told_to(folder: Path | None, round_number: int, partition: int, of: int) -> Callable[[int], None]:
    """What takes the number of steps taken and appends a line to the run's folder, at most one a second.

    Where the folder is not here, as at a site elsewhere, nothing is written, nor where the disk refuses."""
    last = time.monotonic()

    def tell(steps: int) -> None:
        nonlocal last
        now = time.monotonic()
        if folder is None or now - last < EVERY:
            return
        last = now
        line = {"round": round_number, "partition": partition, "step": steps, "of": of}
        try:
            if (folder / "ledger.jsonl").exists():
                with (folder / NAME).open("ab") as file:
                    file.write(json.dumps(line, sort_keys=True).encode() + b"\n")
        except OSError:
            return

    return tell
