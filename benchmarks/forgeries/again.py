"""A run done again whole, once: all items, client rounds, aggregations. Any nonce's evidence is cut from it."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ftbench.replay import items, rounds, spot
from ftbench.result.documents import CheckResult, Verdict
from ftbench.run.environment import installed
from ftbench.verify import verifier
from ftbench.verify.context import Context
from ftbench.verify.draw import Draw
from ftbench.verify.evidence import AggregationAgain, ClientAgain, Evidence, ItemAgain, Machine


@dataclass(frozen=True)
class Again:
    """Everything that could be drawn."""

    items: Mapping[tuple[str, int], ItemAgain]
    clients: Mapping[tuple[int, int], ClientAgain]
    aggregations: Mapping[int, AggregationAgain]


def items_again(context: Context, cache: Path, threads: int = 1) -> dict[tuple[str, int], ItemAgain]:
    """All items of the bundle's adapter; kept in a file by adapter and threads."""
    path = cache / f"items-{context.result.base_model[:8]}-{context.result.adapter[:16]}-{threads}.json"
    if path.is_file():
        found = [ItemAgain.model_validate(one) for one in json.loads(path.read_bytes())]
    else:
        drawn = {task: list(range(len(lines))) for task, lines in context.samples.items()}
        with tempfile.TemporaryDirectory() as scratch:
            compiled = spot.lay_out(context, Path(scratch))
            found, _ = items.ask(context, compiled, Path(scratch), drawn, threads=threads)
        path.write_text(json.dumps([one.model_dump(mode="json") for one in found]))
    return {(one.task, one.index): one for one in found}


def rounds_again(context: Context, archive: Path, cache: Path, name: str, threads: int = 1) -> rounds.Redone:
    """All client rounds and aggregations by what the archive has; kept in a file by name."""
    path = cache / f"rounds-{name}-{threads}.json"
    every = [(body.round, reply.partition) for body in context.rounds for reply in body.replies]
    drawn = Draw({}, every, [body.round for body in context.rounds])
    if path.is_file():
        told = json.loads(path.read_bytes())
        return rounds.Redone(
            [ClientAgain.model_validate(one) for one in told["clients"]],
            [AggregationAgain.model_validate(one) for one in told["aggregations"]],
        )
    with tempfile.TemporaryDirectory() as scratch:
        compiled = spot.lay_out(context, Path(scratch))
        kept = spot.kept_by(context, archive)
        made = rounds.redo(context, compiled, Path(scratch), kept, drawn, threads=threads, say=lambda _: None)
    told = {
        "clients": [one.model_dump(mode="json") for one in made.clients],
        "aggregations": [one.model_dump(mode="json") for one in made.aggregations],
    }
    path.write_text(json.dumps(told))
    return made


def whole(items_: Mapping[tuple[str, int], ItemAgain], redone: rounds.Redone) -> Again:
    return Again(
        items_,
        {(one.round, one.partition): one for one in redone.clients},
        {one.round: one for one in redone.aggregations},
    )


def judged(context: Context, below: Verdict, again: Again, nonce: bytes) -> Verdict:
    """The verdict of a spot-run with that nonce, as `ftbench verify --spot` would give it."""
    machine = Machine(device="cpu", threads=1, packages=installed(context.plan.stack))
    empty = Evidence(
        bundle=context.manifest_digest, nonce=nonce.hex(), machine=machine, items=[], clients=[], aggregations=[]
    )
    context.spot = empty
    context.__dict__.pop("drawn", None)
    drawn = context.drawn
    context.spot = empty.model_copy(
        update={
            "items": [again.items[task, i] for task, indices in sorted(drawn.items.items()) for i in indices],
            "clients": [again.clients[one] for one in drawn.clients],
            "aggregations": [again.aggregations[one] for one in drawn.aggregations],
        }
    )
    made: dict[str, CheckResult] = {one.check: one for one in below.checks}
    return verifier.climb(context, "SPOT-RUN", verifier.checks(context), made)
