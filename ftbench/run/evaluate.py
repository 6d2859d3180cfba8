"""Score a run, or any adapter, on the compiled benchmark's tasks: lm-eval in a process of its own.

Untuned and tuned model answer the same items. Answers are cached as they come, so a killed evaluation goes on.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from ftbench.compile.plan import Plan
from ftbench.data.store import Store
from ftbench.diagnostics import Diagnostic
from ftbench.errors import InvalidInput, RunFailed
from ftbench.result import samples
from ftbench.result.models import Mean, Sample, Score
from ftbench.result.score import score_answers
from ftbench.run import eval_codes as codes
from ftbench.run.eval_job import Asked, Job, Phase, PhaseName, read_answers
from ftbench.run.eval_model import check_adapter
from ftbench.run.eval_process import Progress, work
from ftbench.spec import yaml
from ftbench.spec.entry import ResolvedEntry
from ftbench.spec.model import BaseModelRef


@dataclass(frozen=True, slots=True)
class AdapterScores:
    """What one model answered, and its accuracies."""

    answers: dict[str, list[Asked]]
    """Task → answers in the order of the items."""
    tasks: dict[str, Score]
    mean: Mean


def evaluate_run(
    run_dir: Path, *, store: Store, limit: int | None = None, on_progress: Progress, batch_size: int | None = None
) -> dict[str, list[Sample]]:
    """Score a finished run's base model before and after tuning; writes `evaluation/samples/<task>.jsonl.gz`.

    `limit` takes only the first items of each task (a smoke run). Task → samples in the order of the items. Seconds
    and peak memory go to `evaluation/measured.json`.
    Raises MissingResource (model or items not in the store), InvalidInput, RunFailed.
    """
    compiled, evaluation = run_dir / "compiled", run_dir / "evaluation"
    plan, entry = _plan(compiled), _entry(run_dir / "entry.yaml")
    phases = [Phase(name="untuned", adapter=None), Phase(name="tuned", adapter=str((run_dir / "adapter").absolute()))]
    job = _job(compiled, entry.model, phases, store, evaluation, limit=limit, batch_size=batch_size)
    asked = _work(job, evaluation, run_dir / "logs", on_progress)
    by_task = {
        task.name: [_sample(u, t) for u, t in _pairs(task.name, asked["untuned"], asked["tuned"])]
        for task in plan.typed_spec().evaluation.tasks
    }
    folder = evaluation / "samples"
    folder.mkdir(parents=True, exist_ok=True)
    for task, lines in by_task.items():
        _write(folder / f"{task}.jsonl.gz", samples.dump(lines))
    return by_task


def evaluate_adapter(
    compiled: Path,
    adapter: Path | None,
    base_model: BaseModelRef,
    *,
    store: Store,
    out: Path,
    limit: int | None = None,
    batch_size: int | None = None,
    on_progress: Progress,
) -> AdapterScores:
    """Score any adapter folder that peft can load, or with None the base model alone.

    Working files, the cache among them, stay in the folder `out`. Raises as `evaluate_run`.
    """
    spec = _plan(compiled).typed_spec()
    name: PhaseName = "untuned" if adapter is None else "tuned"
    phase = Phase(name=name, adapter=None if adapter is None else str(adapter.absolute()))
    job = _job(compiled, base_model, [phase], store, out, limit=limit, batch_size=batch_size)
    asked = _work(job, out, out / "logs", on_progress)
    answers = {task.name: [a for a in asked[name] if a.task == task.name] for task in spec.evaluation.tasks}
    tasks, mean = score_answers(
        {task: [(a.answer, a.target) for a in given] for task, given in answers.items()}, spec.evaluation.confidence
    )
    return AdapterScores(answers, tasks, mean)


def _job(
    compiled: Path,
    base_model: BaseModelRef,
    phases: Sequence[Phase],
    store: Store,
    folder: Path,
    *,
    limit: int | None,
    batch_size: int | None,
) -> Job:
    """The worker's orders; model, items and adapter are looked for here, where a missing one is told best."""
    plan = _plan(compiled)
    for phase in phases:
        if phase.adapter is not None:
            check_adapter(Path(phase.adapter))
    digest = store.model_digest(base_model)
    for task in plan.typed_spec().evaluation.tasks:
        store.data_path(plan.pins.sources[f"task:{task.name}"].digest, f"items of task {task.name}")
    return Job(
        compiled=str(compiled.absolute()),
        stores=[str(root) for root in store.roots],
        model=str(store.model_path(digest, f"{base_model.name}@{base_model.revision}").absolute()),
        model_digest=digest,
        phases=list(phases),
        limit=limit,
        batch_size=batch_size,
        cache=str((folder / "cache.jsonl").absolute()),
        answers=str((folder / "answers").absolute()),
    )


def _work(job: Job, folder: Path, logs: Path, on_progress: Progress) -> dict[PhaseName, list[Asked]]:
    """Answers by phase; the worker's file of them is taken away, seconds and memory are left beside the cache."""
    began = time.monotonic()
    peak = work(job, folder / "job.json", logs / "evaluate.log", on_progress)
    asked = {phase.name: read_answers(Path(job.answers) / f"{phase.name}.jsonl") for phase in job.phases}
    shutil.rmtree(job.answers)
    measured = {"peak_memory_bytes": peak, "seconds": round(time.monotonic() - began, 3)}
    _write(folder / "measured.json", json.dumps(measured).encode() + b"\n")
    return asked


def _pairs(task: str, untuned: list[Asked], tuned: list[Asked]) -> list[tuple[Asked, Asked]]:
    before, after = ([a for a in asked if a.task == task] for asked in (untuned, tuned))
    pairs = list(zip(before, after, strict=True))
    for u, t in pairs:
        if u.model_copy(update={"answer": t.answer}) != t:
            message = f"item {u.index} of task {task} was not asked alike before and after tuning"
            raise RunFailed(Diagnostic(codes.ITEMS_UNFIT, message, hint="evaluate the run again"))
    return pairs


def _sample(untuned: Asked, tuned: Asked) -> Sample:
    return Sample(
        index=untuned.index,
        item=untuned.item,
        prompt=untuned.prompt,
        options=untuned.options,
        target=untuned.target,
        untuned=untuned.answer,
        tuned=tuned.answer,
    )


def _plan(compiled: Path) -> Plan:
    path = compiled / "plan.json"
    try:
        return Plan.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        message = f"{path} is no plan of a compiled benchmark: {error}"
        raise InvalidInput(Diagnostic(codes.NOT_A_RUN, message, hint="compile it with `ftbench compile`")) from error


def _entry(path: Path) -> ResolvedEntry:
    try:
        return ResolvedEntry.model_validate(yaml.read(path).value)
    except ValidationError as error:
        message = f"{path} is not the entry of a run: {error}"
        raise InvalidInput(Diagnostic(codes.NOT_A_RUN, message, hint="give the folder of a run")) from error


def _write(path: Path, data: bytes) -> None:
    """Put `data` at `path` so that a kill at any moment leaves the old file or the new one."""
    temporary = path.with_name(f".{path.name}.tmp")
    with temporary.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
