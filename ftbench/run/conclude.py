"""The two ends of a run: reading the compiled benchmark, and turning what was measured into result and bundle."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from ftbench import codes
from ftbench.compile.compiler import Compiled
from ftbench.compile.folder import check_lock, present, read_lock
from ftbench.compile.plan import PLAN, Plan
from ftbench.diagnostics import Diagnostic, Place
from ftbench.errors import InvalidInput
from ftbench.result import archive, budgets, bundle, ledger
from ftbench.result.card import card
from ftbench.result.documents import (
    ClientMemory,
    Cost,
    Finished,
    LedgerLine,
    PrivacySpent,
    Result,
    Round,
    Sample,
    Started,
)
from ftbench.result.rows import rows_of
from ftbench.result.score import score
from ftbench.result.withheld import withheld_tasks
from ftbench.run import keep, open_division
from ftbench.run.environment import describe
from ftbench.run.processes.tail import JsonTail
from ftbench.run.rundir import RunDir, RunSettings
from ftbench.run.summary import RunOutcome
from ftbench.spec.budgets import WITHIN
from ftbench.spec.entries import apply, entry_digest
from ftbench.spec.outline import Outline

Samples = dict[str, list[Sample]]
TimedPhase = Literal["train", "references", "evaluate"]


def read_compiled(compiled: Compiled | Path) -> tuple[dict[str, bytes], Plan, str]:
    """Files, plan and spec hash of a compiled benchmark. A folder is held to its own lock.

    Raises InvalidInput (FTB512), MissingResource.
    """
    if isinstance(compiled, Compiled):
        return compiled.files, compiled.plan, compiled.lock.spec_hash
    lock = read_lock(compiled)
    wrong = check_lock(compiled)
    try:
        plan = Plan.model_validate_json((compiled / PLAN).read_bytes())
    except (OSError, ValidationError):
        wrong.append("plan.json cannot be read")
    if not wrong and plan.spec_hash != lock.spec_hash:
        wrong.append("the lock's spec hash is not the plan's")
    if wrong:
        hint = "make it again with `ftbench compile SPEC`"
        raise InvalidInput(
            Diagnostic(
                codes.COMPILED_CHANGED, f"not what the lock says: {'; '.join(wrong)}", Place(str(compiled)), hint
            )
        )
    return {name: (compiled / name).read_bytes() for name in present(compiled)}, plan, lock.spec_hash


def conclude(run: RunDir, samples: Samples, devices: Sequence[str]) -> RunOutcome:
    """Score, put result and bundle together. Raises InvalidInput where ledger or samples do not hold together."""
    plan = run.plan()
    result = _result(run, plan, samples, devices)
    result = result.model_copy(update={"archive": _archive(run, result)})
    withheld = withheld_tasks(plan.typed_spec().evaluation)
    told = card(result, run.entry())
    made = bundle.assemble(run.path, result, describe(plan.stack, devices), withheld, told)
    return RunOutcome(run.path, made, result, run.settings().spec)


def finished(run: RunDir) -> RunOutcome | None:
    """The outcome of a run whose bundle is there already and is of this ledger; None for any other."""
    try:
        result = Result.model_validate_json((run.bundle / "result.json").read_bytes())
        head = ledger.head(run.ledger.read_bytes())
    except (OSError, ValidationError):
        return None
    whole = (run.bundle / "manifest.json").is_file() and result.ledger == head
    return RunOutcome(run.path, run.bundle, result, run.settings().spec) if whole else None


def seconds(run: RunDir, phase: TimedPhase) -> float | None:
    """Wall time of a phase over all starts of the run."""
    longest: dict[str, float] = {}
    for line in JsonTail(run.timings).read():
        if line.get("phase") == phase:
            start = str(line.get("start"))
            longest[start] = max(longest.get(start, 0.0), float(line["seconds"]))
    return round(sum(longest.values()), 3) if longest else None


def spent_seconds(run: RunDir) -> float:
    """Wall time of everything that was measured so far, over all starts."""
    phases: tuple[TimedPhase, ...] = ("train", "references", "evaluate")
    return sum(seconds(run, phase) or 0.0 for phase in phases)


def round_seconds(run: RunDir) -> dict[int, float]:
    """Round → wall time of all its attempts that ran to their end."""
    found: dict[int, float] = {}
    for line in JsonTail(run.measurements).read():
        if isinstance(line.get("round"), int) and isinstance(line.get("seconds"), int | float):
            found[line["round"]] = found.get(line["round"], 0.0) + float(line["seconds"])
    return found


def peak_memory(run: RunDir) -> int | None:
    """Largest resident set of one process, over training and evaluation, in bytes."""
    found = [line.get("peak_memory_bytes") for line in JsonTail(run.measurements).read()]
    found.append(_measured(run).get("peak_memory_bytes"))
    return max((value for value in found if isinstance(value, int)), default=None) or None


def peak_device_memory(run: RunDir) -> int | None:
    """Most memory that one process had allocated on its accelerator, in bytes; None on a CPU."""
    found = [line.get("peak_device_bytes") for line in JsonTail(run.measurements).read()]
    found.append(_measured(run).get("peak_device_bytes"))
    return max((value for value in found if isinstance(value, int)), default=None) or None


def client_memory(run: RunDir) -> ClientMemory | None:
    """What clients measured of themselves, the most over all rounds; None where none did."""
    lines = [line.get("clients") for line in JsonTail(run.measurements).read()]
    told = [
        ClientMemory(**{name: line[name] for name in ClientMemory.model_fields if isinstance(line.get(name), int)})
        for line in lines
        if isinstance(line, dict) and line
    ]
    return ClientMemory.over(told) if told else None


def _result(run: RunDir, plan: Plan, samples: Samples, devices: Sequence[str]) -> Result:
    settings, entry = run.settings(), run.entry()
    lines = ledger.read(run.ledger)
    started, ended = _ends(run, lines)
    evaluation, rounds = plan.typed_spec().evaluation, [one.body for one in lines if isinstance(one.body, Round)]
    return Result(
        name=plan.metadata.name,
        version=plan.metadata.version,
        spec_hash=settings.spec_hash,
        division="open" if entry.open else "closed",
        fab=open_division.prepare(run.path, run.compiled, entry)[1] if entry.open else None,
        entry=entry_digest(entry),
        model=entry.model,
        base_model=started.base_model,
        seed=entry.seed,
        engine=settings.engine,
        adapter=ended.adapter,
        checkpoint_round=ended.round,
        references=_references(run, samples),
        sandbox=_measured(run).get("sandbox"),
        ledger=ledger.head(run.ledger.read_bytes()),
        scores=score(samples, evaluation),
        cost=Cost(
            bytes_down=ended.bytes_down,
            bytes_up=ended.bytes_up,
            trainable_parameters=started.trainable_parameters,
            rounds=ended.rounds,
            train_seconds=seconds(run, "train"),
            evaluate_seconds=seconds(run, "evaluate"),
            peak_memory_bytes=peak_memory(run),
            peak_device_bytes=peak_device_memory(run),
            client=client_memory(run),
            references_seconds=seconds(run, "references"),
            rows_held=rows_of(rounds).held,
            rows_used=rows_of(rounds).used,
        ),
        exclusions=_left_out(lines, planned=False),
        planned_exclusions=_left_out(lines, planned=True),
        privacy=_privacy(plan, lines, settings),
        cost_to_target=budgets.to_target(evaluation.cost_to_target, rounds, round_seconds(run)),
        within=budgets.measure_within(evaluation.quality_within, rounds, started.adapter),
        bit_reproducible=not devices and not settings.os_noise,
        smoke=settings.smoke,
        unpinned=settings.unpinned,
        selection=settings.selection,
    )


def kept(run: RunDir) -> int:
    """Every so manieth round of this run is kept; 0: none."""
    outline = Outline.model_validate_json(run.model.read_bytes())
    return keep.in_force(run.settings().keep, apply(run.plan().typed_spec(), run.entry()), outline)


def _archive(run: RunDir, result: Result) -> str | None:
    """Digest of the archive's list, written now; None where nothing is kept."""
    if not (every := kept(run)):
        return None
    listed = archive.Archive(
        spec_hash=result.spec_hash,
        entry=result.entry,
        ledger=result.ledger,
        keep_every=every,
        micro_batch=run.settings().micro_batch,
        files={},
    )
    return archive.make(run.archive, listed)


def _left_out(lines: Sequence[LedgerLine], *, planned: bool) -> int:
    rounds = [line.body for line in lines if isinstance(line.body, Round)]
    return sum(exclusion.planned == planned for body in rounds for exclusion in body.excluded)


def _privacy(plan: Plan, lines: Sequence[LedgerLine], settings: RunSettings) -> PrivacySpent | None:
    """What the last committed round says was spent, with the terms of the spec, none of which is a knob."""
    block = plan.typed_spec().privacy
    released = [line.body.privacy for line in lines if isinstance(line.body, Round)]
    if block is None or not released or released[-1] is None:
        return None
    return PrivacySpent(
        kind=block.kind,
        epsilon=released[-1].epsilon,
        delta=block.delta,
        limit=block.epsilon,
        noise_multiplier=block.noise_multiplier,
        clipping=block.clipping,
        noise="operating-system" if settings.os_noise else "seed",
    )


def _measured(run: RunDir) -> dict[str, Any]:
    """What the evaluation measured and what it ran programs in; empty where that can't be read."""
    try:
        value = json.loads((run.evaluation / "measured.json").read_bytes())
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def _references(run: RunDir, samples: Samples) -> dict[str, str]:
    """Digest of each reference's adapter that was scored, by the last line of its own ledger."""
    found = {}
    told = {name for lines in samples.values() for sample in lines[:1] for name in sample.references}
    for name in sorted(name for name in told if not name.startswith(WITHIN)):
        path = run.path / "references" / name / "ledger.jsonl"
        last = ledger.read(path)[-1].body
        if not isinstance(last, Finished):
            raise InvalidInput(Diagnostic(codes.LEDGER_BROKEN, "the reference has not finished", Place(str(path))))
        found[name] = last.adapter
    return found


def _ends(run: RunDir, lines: Sequence[LedgerLine]) -> tuple[Started, Finished]:
    problems = ledger.order_problems(list(lines))
    first, last = (lines[0].body, lines[-1].body) if lines else (None, None)
    if not problems and isinstance(first, Started) and isinstance(last, Finished):
        return first, last
    what = "; ".join(problems) or "it does not begin with `started` and end with `finished`"
    raise InvalidInput(Diagnostic(codes.LEDGER_BROKEN, f"the ledger does not read: {what}", Place(str(run.ledger))))


__all__ = ["TimedPhase", "conclude", "finished", "peak_memory", "read_compiled", "seconds"]
