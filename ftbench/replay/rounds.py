"""The drawn clients and aggregations done again, by the compiled app's own modules in a process of its own."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ftbench import builtin, codes
from ftbench.diagnostics import Diagnostic, Place
from ftbench.errors import RunFailed
from ftbench.result import ledger, names
from ftbench.result.archive import Archive
from ftbench.run.engines.engine import knob_config
from ftbench.run.processes.tied import run_tied
from ftbench.run.processes.tree import environment
from ftbench.verify.context import Context
from ftbench.verify.draw import Draw
from ftbench.verify.evidence import AggregationAgain, ClientAgain, ValidationAgain


@dataclass(frozen=True, slots=True)
class Kept:
    """An archive, or why there is none."""

    folder: Path | None
    listed: Archive | None
    reason: str


@dataclass(frozen=True, slots=True)
class Redone:
    """What came out."""

    clients: list[ClientAgain]
    aggregations: list[AggregationAgain]
    validations: list[ValidationAgain]


def redo(
    context: Context,
    compiled: Path,
    folder: Path,
    kept: Kept,
    drawn: Draw,
    *,
    threads: int,
    say: Callable[[str], None],
) -> Redone:
    """Do the draw's rounds again. `folder` holds the bundle's ledger and is written to. Raises RunFailed (FTB852)."""
    if kept.folder is None or kept.listed is None:
        return Redone(
            [ClientAgain(round=number, partition=client, reason=kept.reason) for number, client in drawn.clients],
            [AggregationAgain(round=number, reason=kept.reason) for number in drawn.aggregations],
            [ValidationAgain(round=number, reason=kept.reason) for number in drawn.validations],
        )
    if kept.listed.ledger != ledger.head(context.bundle.files[names.LEDGER]):
        reason = "the run's archive is of another ledger"
        return redo(context, compiled, folder, Kept(None, None, reason), drawn, threads=threads, say=say)
    say(f"training {len(drawn.clients)} client rounds again, aggregating {len(drawn.aggregations)}")
    asked = job(context, folder, kept.folder, kept.listed.micro_batch, drawn, threads=threads)
    return told(_work(context, compiled, folder, asked), drawn)


def job(
    context: Context, folder: Path, archive: Path, micro_batch: int, drawn: Draw, *, threads: int
) -> dict[str, Any]:
    """What `replay.worker` is asked. `folder`: holds the bundle's ledger; `archive`: what the run kept."""
    return {
        "run_config": _run_config(context, folder, micro_batch),
        "archive": str(archive.absolute()),
        "threads": threads,
        "clients": [list(one) for one in drawn.clients],
        "aggregations": drawn.aggregations,
        "validations": drawn.validations,
    }


def told(found: dict[str, Any], drawn: Draw) -> Redone:
    """What the worker answered."""
    return Redone(
        [
            ClientAgain(round=number, partition=client, **_client(found["clients"][place]))
            for place, (number, client) in enumerate(drawn.clients)
        ],
        [
            AggregationAgain(round=number, **_aggregation(found["aggregations"][place]))
            for place, number in enumerate(drawn.aggregations)
        ],
        [
            ValidationAgain(round=number, **_validation(found["validations"][place]))
            for place, number in enumerate(drawn.validations)
        ],
    )


def _client(told: dict[str, Any]) -> dict[str, Any]:
    if "reason" in told:
        return {"reason": told["reason"]}
    names_ = {"update": "again", "loss": "loss_again", "state": "state_again", "distance": "distance"}
    return {name: _number(told[key]) for name, key in names_.items()}


def _number(value: Any) -> Any:
    """None for what is no number, as comes of an archive with infinities in it: no distance that a band allows."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _validation(told: dict[str, Any]) -> dict[str, Any]:
    if "reason" in told or math.isfinite(told["loss"]):
        return told
    return {"reason": "its adapter gives no finite loss"}


def _aggregation(told: dict[str, Any]) -> dict[str, Any]:
    if "reason" in told:
        return {"reason": told["reason"]}
    return {"adapter": told["again"], "state": told["state_again"]}


def _run_config(context: Context, folder: Path, micro_batch: int) -> dict[str, Any]:
    """What the run was asked, as Flower would hand it to the app."""
    entry = context.entry
    return {
        **knob_config(entry),
        "store": context.store.joined(),
        "run-dir": str(folder.absolute()),
        "base-model": f"{entry.model.name}@{entry.model.revision}",
        "spec-hash": context.result.spec_hash,
        "seed": entry.seed,
        "resume": True,
        "unpinned": True,  # what this machine has is told, and the band says what it may move
        "micro-batch": micro_batch,
    }


def _work(context: Context, compiled: Path, folder: Path, asked: dict[str, Any]) -> dict[str, Any]:
    """Run the worker. It ends when our end of its input is closed, so also when we are killed."""
    job, answer, log = folder / "rounds.json", folder / "redone.json", folder / "rounds.log"
    job.write_text(json.dumps(asked))
    app, package = compiled / "app", str(builtin.PACKAGE.parent)
    command = [sys.executable, "-P", "-m", "ftbench.replay.worker", str(app), str(job), str(answer)]
    ours = {"PYTHONPATH": package, "FLWR_TELEMETRY_ENABLED": "0", "FLWR_DISABLE_UPDATE_CHECK": "1"}
    env = environment("") | ours | {"OMP_NUM_THREADS": str(asked["threads"])}
    status = run_tied(command, log, env, folder)
    if status or not answer.is_file():
        tail = " | ".join(log.read_text(errors="replace").strip().splitlines()[-3:])
        message = f"doing rounds again ended with status {status}: {tail[-600:]}"
        raise RunFailed(Diagnostic(codes.REPLAY_FAILED, message, Place(str(context.bundle.path))))
    found: dict[str, Any] = json.loads(answer.read_bytes())
    return found
