"""The server's memory: replies that wait on disk against replies that are held.

    python benchmarks/streaming.py [--mib 16] [--replies 4 32]

Each side is a process of its own that takes in so many replies one by one, as a round does, and averages them. What is
printed is how much its resident memory grew above that of one that has only imported the same modules, and the ratio.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import common

MIB = 2**20
TENSORS = 8
SIDES = ("held", "on disk")


def work(side: str, replies: int, mib: int, folder: Path) -> int:
    """Take in and average; returns the growth of the peak resident memory in bytes."""
    import numpy

    from ftbench.app import inbox
    from ftbench.app.measure import peak_memory_bytes
    from ftbench.app.strategy.fedavg import Strategy

    if side == "held":
        inbox.MEMORY_BYTES = sys.maxsize
    columns = mib * MIB // 4 // TENSORS
    current = {f"t{n}": numpy.ones(columns, dtype="f4") for n in range(TENSORS)}
    before = peak_memory_bytes()
    box = inbox.Inbox(folder, replies * mib * MIB)
    kept = [
        (1.0, box.keep(number, {name: array + number for name, array in current.items()})) for number in range(replies)
    ]
    mean, _ = Strategy({}, {}).aggregate(current, kept, None)
    assert abs(float(mean["t0"][0]) - (1 + (replies - 1) / 2)) < 1e-4
    return peak_memory_bytes() - before


def main() -> None:
    """Print one line for each number of replies."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--mib", type=int, default=16, help="MiB of a reply")
    parser.add_argument("--replies", type=int, nargs="+", default=[4, 32], help="replies of a round")
    parser.add_argument("--side", choices=SIDES, help="internal: do one side and print its bytes")
    options = parser.parse_args()
    ratio = 0.0
    if options.side:
        with tempfile.TemporaryDirectory() as folder:
            print(work(options.side, options.replies[0], options.mib, Path(folder)))
        return
    found: dict[str, dict[str, float]] = {}
    for replies in options.replies:
        grown = {}
        for side in SIDES:
            command = [sys.executable, __file__, "--side", side, "--mib", str(options.mib), "--replies", str(replies)]
            grown[side] = int(subprocess.run(command, check=True, capture_output=True, text=True).stdout) / MIB
        ratio = grown["held"] / grown["on disk"]
        figures = ", ".join(f"{side} {grown[side]:.0f} MiB" for side in SIDES)
        print(f"{replies} replies of {options.mib} MiB: {figures}, ratio {ratio:.1f}")
        found[str(replies)] = {side: round(size, 1) for side, size in grown.items()}
    facts = {"mib_a_reply": options.mib, "grown_mib": found, "machine": common.machine()}
    print(json.dumps({"benchmark": "streaming", "ratio": round(ratio, 3), **facts}))


if __name__ == "__main__":
    main()
