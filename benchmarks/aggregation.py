"""The server's mean of a round: ours, with replies on disk, against Flower's FedAvg, which holds them.

    python benchmarks/aggregation.py [--replies 100] [--mib 50]

Each side is a process of its own that is handed so many replies one by one, as Flower's records of serialised float32
arrays, and ends with their weighted mean. What is counted is all that follows a reply's making: seconds of processor
(user and system), seconds by the clock, and the resident memory that it took above one reply's. The means must agree.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import common

MIB = 2**20
TENSORS = 128
SIDES = ("ours", "flower")


class Clock:
    """Seconds of processor and by the clock that were spent inside it."""

    def __init__(self) -> None:
        self.processor = self.wall = 0.0

    def __enter__(self) -> None:
        self._began = time.process_time(), time.perf_counter()

    def __exit__(self, *_: object) -> None:
        self.processor += time.process_time() - self._began[0]
        self.wall += time.perf_counter() - self._began[1]


def reply(number: int, mib: int) -> Any:
    """What a client sends: named arrays and its number of examples."""
    import numpy
    from flwr.app import Array, ArrayRecord, MetricRecord, RecordDict

    size = mib * MIB // 4 // TENSORS
    arrays = {
        f"t{at:03}": Array(numpy.full(size, at + number % 7, dtype="f4") + numpy.arange(size, dtype="f4") / size)
        for at in range(TENSORS)
    }
    return RecordDict({"arrays": ArrayRecord(arrays), "metrics": MetricRecord({"num-examples": 10 + number % 3})})


def ours(replies: int, mib: int, folder: Path, clock: Clock) -> dict[str, Any]:
    """Replies wait where a round puts them."""
    from ftbench.app import inbox
    from ftbench.app.strategy.fedavg import Strategy

    box = inbox.Inbox(folder, replies * mib * MIB)
    kept: list[Any] = []
    current: dict[str, Any] = {}
    for number in range(replies):
        content = reply(number, mib)
        with clock:
            arrays = {name: array.numpy() for name, array in content["arrays"].items()}
            kept.append((float(content["metrics"]["num-examples"]), box.keep(number, arrays)))
            current = arrays
    with clock:
        mean, _ = Strategy({}, {}).aggregate(current, kept, None)
    return dict(mean)


def flower(replies: int, mib: int, _folder: Path, clock: Clock) -> dict[str, Any]:
    """Flower's own mean, as `FedAvg.aggregate_train` calls it."""
    from flwr.serverapp.strategy.strategy_utils import aggregate_arrayrecords

    kept = [reply(number, mib) for number in range(replies)]
    with clock:
        mean = aggregate_arrayrecords(kept, "num-examples")
        found = {name: array.numpy() for name, array in mean.items()}
    return found


def work(side: str, replies: int, mib: int) -> dict[str, Any]:
    """One side's figures."""
    from ftbench.app.measure import peak_memory_bytes

    reply(0, mib)
    before, clock = peak_memory_bytes(), Clock()
    with tempfile.TemporaryDirectory() as folder:
        mean = (ours if side == "ours" else flower)(replies, mib, Path(folder), clock)
    grown = peak_memory_bytes() - before
    some = [float(mean[name][at]) for name in ("t000", "t127") for at in (0, -1)]
    return {"processor": clock.processor, "wall": clock.wall, "grown": grown, "some": some}


def main() -> None:
    """Print the figures of both sides and their ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--replies", type=int, default=100, help="replies of a round (default: 100)")
    parser.add_argument("--mib", type=int, default=50, help="MiB of a reply (default: 50)")
    parser.add_argument("--side", choices=SIDES, help="internal: do one side and print its figures")
    options = parser.parse_args()
    if options.side:
        print(json.dumps(work(options.side, options.replies, options.mib)))
        return
    found: dict[str, dict[str, Any]] = {}
    for side in SIDES:
        command = [sys.executable, __file__, "--side", side]
        command += ["--replies", str(options.replies), "--mib", str(options.mib)]
        found[side] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        one = found[side]
        memory = one["grown"] / (options.mib * MIB)
        print(
            f"{side:<7} {one['processor']:6.2f} s of processor, {one['wall']:6.2f} s, "
            f"memory of {memory:.2f} replies beside one"
        )
    apart = max(abs(a - b) for a, b in zip(found["ours"]["some"], found["flower"]["some"], strict=True))
    assert apart < 1e-4, apart
    ratios = {name: round(found["ours"][name] / found["flower"][name], 3) for name in ("processor", "wall", "grown")}
    facts = {"replies": options.replies, "mib_a_reply": options.mib, "sides": found, "machine": common.machine()}
    print(json.dumps({"benchmark": "aggregation", "ratio": ratios, "apart": apart, **facts}))


if __name__ == "__main__":
    main()
