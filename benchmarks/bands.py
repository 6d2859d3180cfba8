"""How far the same answers and updates lie apart on one kind of device: other threads, other batches.

    python benchmarks/bands.py RUN --spec SPEC [--threads 1 2] [--batches 1 8 32] [--items 100]

RUN is the folder of a run that kept its rounds. Its items are asked again, and every client's round is trained again,
under each setting; the largest differences are printed, and with --out written as JSON. `ftbench/verify/bands.py` has
what came of it.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

from ftbench.data.store import Store
from ftbench.replay import items, rounds, spot
from ftbench.result.documents import Answer
from ftbench.spec.load import find_spec
from ftbench.verify import verifier
from ftbench.verify.checks.spot_items import first_difference
from ftbench.verify.context import Context
from ftbench.verify.draw import Draw


def main() -> int:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--spec", required=True)
    parser.add_argument("--store")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 8, 32])
    parser.add_argument("--items", type=int, default=100, help="items of each task (100)")
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    store = Store.default(asked.store)
    context = verifier.look(asked.run / "bundle", spec=find_spec(asked.spec), store=store)
    verdict = verifier.climb(context, "RESCORED", verifier.checks(context))
    if verdict.level != "RESCORED":
        print(f"{asked.run} is {verdict.level}, not RESCORED")
        return 1
    found = [_items(context, asked.items, threads, size) for threads in asked.threads for size in asked.batches]
    found += [_rounds(context, asked.run / "archive", threads) for threads in asked.threads]
    for line in found:
        print(json.dumps(line))
    if asked.out:
        asked.out.write_text(json.dumps(found, indent=1) + "\n")
    return 0


def _items(context: Context, number: int, threads: int, size: int) -> dict[str, Any]:
    drawn = {task: list(range(min(number, len(lines)))) for task, lines in context.samples.items()}
    with tempfile.TemporaryDirectory() as scratch:
        compiled = spot.lay_out(context, Path(scratch))
        again, _ = items.ask(context, compiled, Path(scratch), drawn, threads=threads, batch_size=size)
    apart, texts, nearest = 0.0, 0, 0.0
    for one in again:
        was = context.samples[one.task][one.index]
        for told, now, steps in (
            (was.untuned, one.untuned, one.untuned_steps),
            (was.tuned, one.tuned, one.tuned_steps),
        ):
            apart = max(apart, _apart(told, now))
            place = first_difference(told.text or "", now.text or "")
            if place is not None:
                texts += 1
                nearest = max(nearest, min((margin for begin, margin in steps or [] if begin <= place), default=9.0))
    return {
        "what": "items",
        "threads": threads,
        "batch": size,
        "items": len(again),
        "nats_apart": apart,
        "texts_that_differ": texts,
        "margin_where_they_may": nearest,
    }


def _apart(told: Answer, now: Answer) -> float:
    pairs = zip(told.loglikelihoods or [], now.loglikelihoods or [], strict=True)
    return max((abs(a - b) for a, b in pairs), default=0.0)


def _rounds(context: Context, archive: Path, threads: int) -> dict[str, Any]:
    every = [(body.round, reply.partition) for body in context.rounds for reply in body.replies]
    drawn = Draw({}, every, [body.round for body in context.rounds])
    told = {(body.round, reply.partition): reply.update for body in context.rounds for reply in body.replies}
    adapters = {body.round: body.adapter for body in context.rounds}
    with tempfile.TemporaryDirectory() as scratch:
        compiled = spot.lay_out(context, Path(scratch))
        kept = spot.kept_by(context, archive)
        again = rounds.redo(context, compiled, Path(scratch), kept, drawn, threads=threads, say=lambda _: None)
    return {
        "what": "rounds",
        "threads": threads,
        "clients": len(again.clients),
        "equal": sum(one.update == told[one.round, one.partition] for one in again.clients),
        "farthest": max((one.distance or 0.0 for one in again.clients), default=0.0),
        "aggregations_equal": sum(one.adapter == adapters[one.round] for one in again.aggregations),
        "undone": [one.reason for one in again.clients if one.reason][:3],
    }


if __name__ == "__main__":
    raise SystemExit(main())
