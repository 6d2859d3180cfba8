"""Runs done again whole, once: all items, client rounds, aggregations. Any nonce's evidence is cut from it.

What costs is starting PyTorch, so all adapters of a benchmark are asked in one process and all archives in another.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ftbench.replay import rounds, spot
from ftbench.result import names
from ftbench.result.archive import FOLDER
from ftbench.result.documents import CheckResult, Verdict
from ftbench.run.environment import installed
from ftbench.run.evaluation.job import UNTUNED, Job, Phase, read_answers
from ftbench.run.evaluation.process import work
from ftbench.spec.model import SpotRule
from ftbench.verify import verifier
from ftbench.verify.context import Context
from ftbench.verify.draw import Draw, validations
from ftbench.verify.evidence import AggregationAgain, ClientAgain, Evidence, ItemAgain, Machine, ValidationAgain

Items = Mapping[tuple[str, int], ItemAgain]


@dataclass(frozen=True)
class Again:
    """Everything that could be drawn."""

    items: Items
    clients: Mapping[tuple[int, int], ClientAgain]
    aggregations: Mapping[int, AggregationAgain]
    validations: Mapping[int, ValidationAgain]


def every(context: Context) -> Draw:
    """All client rounds, aggregations and, where the spec has a validation cut, validation losses."""
    replies = [(body.round, reply.partition) for body in context.rounds for reply in body.replies]
    rounds = [body.round for body in context.rounds]
    drawn = Draw({}, replies, rounds)
    if context.spec.data.validation is None:
        return drawn
    whole = SpotRule(aggregations=len(rounds))
    return replace(drawn, validations=validations(drawn, whole, context.result.checkpoint_round, rounds[-1]))


def ask(contexts: Sequence[Context], threads: int = 1) -> list[Items]:
    """All items of each bundle's adapter; the bundles are of one benchmark and base model."""
    first = contexts[0]
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        compiled = spot.lay_out(first, folder)
        phases = [Phase(name=UNTUNED, adapter=None)]
        for number, context in enumerate(contexts):
            for name in (names.ADAPTER, names.ADAPTER_CONFIG):
                path = folder / str(number) / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(context.bundle.files[name])
            phases.append(Phase(name=f"t-{number}", adapter=str(folder / str(number) / "adapter")))
        base = first.entry.model
        digest = first.store.model_digest(base)
        job = Job(
            compiled=str(compiled),
            stores=[str(root) for root in first.store.roots],
            model=str(first.store.model_path(digest, base.name).absolute()),
            model_digest=digest,
            held=first.in_force.model,
            phases=phases,
            items={task: list(range(len(lines))) for task, lines in first.samples.items()},
            steps=True,
            threads=threads,
            cache=str(folder / "cache.jsonl"),
            answers=str(folder / "answers"),
        )
        work(job, folder / "job.json", folder / "logs" / "evaluate.log", lambda *_: None)
        untuned = {(one.task, one.index): one for one in read_answers(folder / "answers" / f"{UNTUNED}.jsonl")}
        found: list[Items] = []
        for number in range(len(contexts)):
            tuned = read_answers(folder / "answers" / f"t-{number}.jsonl")
            found.append(
                {
                    (one.task, one.index): ItemAgain(
                        task=one.task,
                        index=one.index,
                        item=one.item,
                        untuned=untuned[one.task, one.index].answer,
                        tuned=one.answer,
                        untuned_steps=untuned[one.task, one.index].steps,
                        tuned_steps=one.steps,
                    )
                    for one in tuned
                }
            )
    return found


def redo(contexts: Sequence[Context], folders: Sequence[Path], threads: Sequence[int]) -> list[rounds.Redone]:
    """All client rounds and aggregations of each run's folder, by what its archive has."""
    with tempfile.TemporaryDirectory() as scratch:
        jobs = []
        for number, (context, folder, count) in enumerate(zip(contexts, folders, threads, strict=True)):
            here = Path(scratch) / str(number)
            here.mkdir()
            compiled = spot.lay_out(context, here)
            kept = spot.kept_by(context, folder / FOLDER)
            assert kept.listed is not None, kept.reason
            jobs.append(
                rounds.job(context, here, folder / FOLDER, kept.listed.micro_batch, every(context), threads=count)
            )
        asked, answers = Path(scratch) / "jobs.json", Path(scratch) / "answers.json"
        asked.write_text(json.dumps(jobs))
        worker = Path(__file__).with_name("worker.py")
        subprocess.run([sys.executable, str(worker), str(compiled / "app"), str(asked), str(answers)], check=True)
        told = json.loads(answers.read_bytes())
    return [rounds.told(one, every(context)) for one, context in zip(told, contexts, strict=True)]


def whole(items: Items, redone: rounds.Redone) -> Again:
    return Again(
        items,
        {(one.round, one.partition): one for one in redone.clients},
        {one.round: one for one in redone.aggregations},
        {one.round: one for one in redone.validations},
    )


def judged(context: Context, below: Verdict, again: Again, nonce: bytes, keep_every: int) -> Verdict:
    """The verdict of a spot-run with that nonce, as `ftbench verify --spot` would give it."""
    machine = Machine(device="cpu", threads=1, packages=installed(context.plan.stack))
    empty = Evidence(
        bundle=context.manifest_digest,
        nonce=nonce.hex(),
        machine=machine,
        keep_every=keep_every,
        items=[],
        clients=[],
        aggregations=[],
        validations=[],
    )
    context.spot = empty
    context.__dict__.pop("drawn", None)
    drawn = context.drawn
    context.spot = empty.model_copy(
        update={
            "items": [again.items[task, i] for task, indices in sorted(drawn.items.items()) for i in indices],
            "clients": [again.clients[one] for one in drawn.clients],
            "aggregations": [again.aggregations[one] for one in drawn.aggregations],
            "validations": [again.validations[one] for one in drawn.validations],
        }
    )
    made: dict[str, CheckResult] = {one.check: one for one in below.checks}
    return verifier.climb(context, "SPOT-RUN", verifier.checks(context), made)
