"""What people wait for beside training: verify, the digests of a lock, partitions.

    python benchmarks/waiting.py verify       a forged bundle of 10,935 items, to RESCORED
    python benchmarks/waiting.py rows         canonical bytes and overlap of 76,772 rows, as `ftbench lock` makes them
    python benchmarks/waiting.py partition    1,000,000 rows to 1,000 clients, by several kinds

Prints seconds of wall time and of processor, and of a verify each check's share.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests" / "verify")]


def verify(root: Path) -> None:
    """As large as the largest domain."""
    import forge

    from ftbench.verify import verifier

    forge.ITEMS, forge.PROGRAMS = 5_467, 1
    world = forge.make_world(root / "world")
    bundle = forge.write_folder(forge.make(world).files, root / "bundle")
    taken: dict[str, float] = {}
    carry_out = verifier._carry_out

    def timed_check(check: Any, context: Any) -> Any:
        began = time.process_time()
        found = carry_out(check, context)
        taken[check.id] = time.process_time() - began
        return found

    verifier._carry_out = timed_check
    with timed("verify"), forge.programs_run():
        verdict = verifier.verify(bundle, store=world.store, benchmarks=[root / "world" / "benchmarks"])
    assert verdict.level == "RESCORED", verdict.level
    whole = sum(taken.values())
    for name, seconds in sorted(taken.items(), key=lambda one: -one[1])[:6]:
        print(f"  {name:<24} {seconds:7.3f} s  {100 * seconds / whole:4.0f} %")


def rows(_: Path) -> None:
    """Rows of three texts, as a training set has."""
    from ftbench.data.digests import rows_digest, share_digests

    draw = random.Random(1)
    words = ["shares", "rose", "the", "bank", "said", "profit", "loss", "é", "a", "of", "quarter", '"said"']
    made = [
        {
            "instruction": "What is the sentiment?",
            "input": " ".join(draw.choices(words, k=25)),
            "output": str(number % 3),
        }
        for number in range(76_772)
    ]
    with timed("digest of all rows"):
        rows_digest(made)
    with timed("digests of shares"):
        share_digests(made, [range(number, len(made), 50) for number in range(50)])


def partition(_: Path) -> None:
    """A million rows."""
    from pydantic import TypeAdapter

    from ftbench.data.partition import deal
    from ftbench.spec.model import Partition

    kind: TypeAdapter[Any] = TypeAdapter(Partition)
    labels = [str(number * 7 % 10) for number in range(1_000_000)]
    blocks: dict[str, dict[str, Any]] = {
        "iid": {"kind": "iid"},
        "size-skew": {"kind": "size-skew", "growth": "linear", "ratio": 10.0},
        "dirichlet by client": {"kind": "dirichlet", "label": "x", "alpha": 0.5, "draw": "clients"},
        "dirichlet by label": {"kind": "dirichlet", "label": "x", "alpha": 0.5, "draw": "labels"},
        "shard": {"kind": "shard", "label": "x", "shards": 2},
    }
    for name, block in blocks.items():
        with timed(name):
            shares = deal(len(labels), 1_000, kind.validate_python(block), 1, labels)
        assert sum(map(len, shares)) == len(labels)


@contextmanager
def timed(name: str) -> Iterator[None]:
    """Wall and processor seconds of this process."""
    wall, processor = time.perf_counter(), time.process_time()
    yield
    print(
        f"{name:<24} {time.perf_counter() - wall:8.2f} s, processor {time.process_time() - processor:7.2f} s",
        flush=True,
    )


KINDS: dict[str, Callable[[Path], None]] = {"verify": verify, "rows": rows, "partition": partition}

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=KINDS)
    with tempfile.TemporaryDirectory() as folder:
        KINDS[parser.parse_args().kind](Path(folder))
