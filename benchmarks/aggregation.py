"""The server's mean of a round: ours, which adds replies up as they come, against Flower's FedAvg, which holds them.

    python benchmarks/aggregation.py [--replies 100] [--mib 50] [--backwards | --held] [--repeat 3]

Each side is a process of its own that is handed so many replies one by one, each in the record in which it travels
(ours one array of packed bytes, Flower's one array a tensor), and ends with their weighted mean. What is counted is
all that follows a reply's making: seconds of processor (user and system), seconds by the clock, and the resident
memory, that of the replies held included. Judging a reply (its digest, whether it is finite) is no part of it; Flower
does not do that.
`--backwards`: the last client's reply comes first, so that all but one wait on disk. `--held`: every reply waits there,
as for a strategy that looks at each. Flower's side holds as many replies as there are: 100 of 50 MiB ask for 5 GiB.
The means must agree. The two sides take turns; printed are medians and spread.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import common

MIB = 2**20
TENSORS = 128
SIDES = ("ours", "flower")
FIGURES = ("processor", "wall", "grown")


def resident(what: str) -> int:
    """Bytes of this process by the kernel's count: now (VmRSS) or at most (VmHWM)."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(what))


class Clock:
    """Seconds of processor and by the clock that were spent inside it, and the most memory that was resident."""

    def __init__(self) -> None:
        self.processor = self.wall = 0.0
        self.peak = 0

    def __enter__(self) -> None:
        Path("/proc/self/clear_refs").write_text("5")  # the peak is from here on
        self._began = time.process_time(), time.perf_counter()

    def __exit__(self, *_: object) -> None:
        self.processor += time.process_time() - self._began[0]
        self.wall += time.perf_counter() - self._began[1]
        self.peak = max(self.peak, resident("VmHWM"))


def values(number: int, mib: int) -> dict[str, Any]:
    """The arrays that a client sends."""
    import numpy

    size = mib * MIB // 4 // TENSORS
    ramp = numpy.arange(size, dtype="f4") / size
    return {f"t{at:03}": numpy.full(size, at + number % 7, dtype="f4") + ramp for at in range(TENSORS)}


def examples(number: int) -> int:
    """By how many rows a client counts."""
    return 10 + number % 3


def ours(replies: int, mib: int, way: str, clock: Clock) -> dict[str, Any]:
    """As a round takes replies in."""
    from ftbench.app import arrays as arr
    from ftbench.app import inbox
    from ftbench.app.ordered_sum import OrderedSum
    from ftbench.app.strategy.fedavg import Strategy

    names = values(0, 0)  # the mean asks for their names alone
    with tempfile.TemporaryDirectory() as folder:
        box = inbox.Inbox(Path(folder), inbox.MEMORY_BYTES + 1)
        total = OrderedSum(range(replies), box)
        kept: dict[int, Any] = {}
        for number in reversed(range(replies)) if way == "backwards" else range(replies):
            record = arr.to_record(values(number, mib))
            with clock:
                if way == "held":
                    kept[number] = float(examples(number)), box.keep(number, arr.views(record))
                else:
                    total.take(number, float(examples(number)), arr.views(record))
        del record
        with clock:
            mean, _ = Strategy({}, {}).aggregate(names, list(kept.values()) or total.replies(), None)
    return dict(mean)


def flower(replies: int, mib: int, _way: str, clock: Clock) -> dict[str, Any]:
    """Flower's own mean, as `FedAvg.aggregate_train` calls it."""
    from flwr.app import Array, ArrayRecord, MetricRecord, RecordDict
    from flwr.serverapp.strategy.strategy_utils import aggregate_arrayrecords

    kept = []
    for number in range(replies):
        arrays = ArrayRecord({name: Array(array) for name, array in values(number, mib).items()})
        kept.append(RecordDict({"arrays": arrays, "metrics": MetricRecord({"num-examples": examples(number)})}))
    with clock:
        mean = aggregate_arrayrecords(kept, "num-examples")
        found = {name: array.numpy() for name, array in mean.items()}
    return found


def work(side: str, replies: int, mib: int, way: str) -> dict[str, Any]:
    """One side's figures."""
    (ours if side == "ours" else flower)(2, 1, way, Clock())  # imports
    before, clock = resident("VmRSS"), Clock()
    mean = (ours if side == "ours" else flower)(replies, mib, way, clock)
    grown = clock.peak - before
    some = [float(mean[name][at]) for name in ("t000", "t127") for at in (0, -1)]
    return {"processor": clock.processor, "wall": clock.wall, "grown": grown, "some": some}


def spread(runs: dict[str, list[dict[str, Any]]], name: str) -> dict[str, float]:
    """Ours over theirs, turn by turn."""
    ratios = [one[name] / other[name] for one, other in zip(runs["ours"], runs["flower"], strict=True)]
    return {"median": round(median(ratios), 3), "least": round(min(ratios), 3), "most": round(max(ratios), 3)}


def main() -> None:
    """Print the figures of both sides and their ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--replies", type=int, default=100, help="replies of a round (default: 100)")
    parser.add_argument("--mib", type=int, default=50, help="MiB of a reply (default: 50)")
    parser.add_argument("--repeat", type=int, default=3, help="times that each side is measured (default: 3)")
    ways = parser.add_mutually_exclusive_group()
    ways.add_argument("--backwards", dest="way", action="store_const", const="backwards", help="the last comes first")
    ways.add_argument("--held", dest="way", action="store_const", const="held", help="each is kept, on disk")
    parser.add_argument("--side", choices=SIDES, help="internal: do one side and print its figures")
    options = parser.parse_args()
    way = options.way or "in turn"
    if options.side:
        print(json.dumps(work(options.side, options.replies, options.mib, way)))
        return
    flag = [f"--{way}"] if options.way else []
    runs: dict[str, list[dict[str, Any]]] = {side: [] for side in SIDES}
    for _ in range(options.repeat):
        for side in SIDES:
            command = [sys.executable, __file__, "--side", side, *flag]
            command += ["--replies", str(options.replies), "--mib", str(options.mib)]
            runs[side].append(json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout))
    found = {side: {name: median(run[name] for run in runs[side]) for name in FIGURES} for side in SIDES}
    for side, one in found.items():
        memory = one["grown"] / (options.mib * MIB)
        print(f"{side:<7} {one['processor']:6.2f} s of processor, {one['wall']:6.2f} s, memory of {memory:.2f} replies")
    apart = max(abs(a - b) for a, b in zip(runs["ours"][0]["some"], runs["flower"][0]["some"], strict=True))
    assert apart < 1e-4, apart
    ratios = {name: spread(runs, name) for name in FIGURES}
    facts = {"replies": options.replies, "mib_a_reply": options.mib, "way": way, "machine": common.machine()}
    print(json.dumps({"benchmark": "aggregation", "ratio": ratios, "apart": apart, "sides": found, **facts}))


if __name__ == "__main__":
    main()
