"""Score a run, or any adapter, on the compiled benchmark's tasks: lm-eval in a process of its own.

Untuned model, tuned model and references answer the same items. Answers are cached as they come, so a killed
evaluation goes on. Programs that a model wrote are run afterwards, in the sandbox, never in the model's process.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from ftbench import codes
from ftbench.compile.plan import PLAN, Plan
from ftbench.data.digests import model_digest
from ftbench.data.store import Store
from ftbench.diagnostics import Diagnostic, Place, because
from ftbench.errors import InvalidInput, MissingResource, RunFailed
from ftbench.result import samples
from ftbench.result.documents import Mean, Sample, Score
from ftbench.result.marks import Given
from ftbench.result.score import score_answers
from ftbench.run.evaluation.job import TUNED, UNTUNED, AskedItem, Job, Phase, read_answers
from ftbench.run.evaluation.model import check_adapter
from ftbench.run.evaluation.process import Progress, work
from ftbench.run.evaluation.programs import check_sandbox, run_programs
from ftbench.run.evaluation.references import find_references, find_within
from ftbench.run.evaluation.several import found_beside, visible, work_shares
from ftbench.run.kernels import model_in_force
from ftbench.run.processes.forked import as_many
from ftbench.run.processes.peaks import Peak
from ftbench.spec import yaml
from ftbench.spec.entry import ResolvedEntry
from ftbench.spec.model import BaseModelRef, Model


@dataclass(frozen=True, slots=True)
class AdapterScores:
    """What one model answered, and its accuracies."""

    answers: dict[str, list[AskedItem]]
    """Task → answers in the order of the items."""
    tasks: dict[str, Score]
    """By each task's first scoring."""
    also: dict[str, dict[str, Score]]
    """Task → its other scorings."""
    mean: Mean
    """Of `tasks`."""


def evaluate_run(
    run_dir: Path,
    *,
    store: Store,
    limit: int | None = None,
    on_progress: Progress,
    batch_size: int | None = None,
    workers: int | None = None,
    unsafe_no_sandbox: bool = False,
) -> dict[str, list[Sample]]:
    """Score a finished run's base model, tuned model, references and rounds within budgets, on the same items.

    Writes `evaluation/samples/<task>.jsonl.gz`. `limit` takes only the first items of each task (a smoke run), and
    references that are not there are then left out.
    `workers` processes answer a share of the items each; the answers are the same. None: one on a device, on a CPU as
    many as it has cores and memory for.
    `unsafe_no_sandbox` runs the programs of code tasks without a sandbox where there is none; `measured.json` in
    `evaluation` says which it was, besides seconds and peak memory. Task → samples in the order of the items.
    Raises MissingResource (model or items not in the store, no sandbox), InvalidInput, RunFailed.
    """
    compiled, evaluation = run_dir / "compiled", run_dir / "evaluation"
    plan, entry = _plan(compiled), _entry(run_dir / "entry.yaml")
    references = find_references(run_dir, plan, whole=limit is None)
    within = find_within(run_dir, plan)
    apart = {name: found for name, found in within.items() if isinstance(found, Path)}
    adapters = {UNTUNED: None, TUNED: run_dir / "adapter", **references, **apart}
    phases = [Phase(name=n, adapter=None if a is None else str(a.absolute())) for n, a in adapters.items()]
    job = _job(compiled, entry.model, phases, store, evaluation, limit=limit, batch_size=batch_size)
    job = job.model_copy(update={"held": model_in_force(plan.typed_spec(), entry)})
    unsafe = unsafe_no_sandbox
    asked = _work(job, store, evaluation, run_dir / "logs", on_progress=on_progress, workers=workers, unsafe=unsafe)
    asked |= {name: asked[same] for name, same in within.items() if isinstance(same, str)}
    by_task = {task.name: _samples(task.name, asked) for task in plan.typed_spec().evaluation.tasks}
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
    workers: int | None = None,
    unsafe_no_sandbox: bool = False,
) -> AdapterScores:
    """Score any adapter folder that peft can load, or with None the base model alone.

    Working files, the cache among them, stay in the folder `out`. Raises as `evaluate_run`.
    """
    plan = _plan(compiled)
    evaluation = plan.typed_spec().evaluation
    name = UNTUNED if adapter is None else TUNED
    phase = Phase(name=name, adapter=None if adapter is None else str(adapter.absolute()))
    job = _job(compiled, base_model, [phase], store, out, limit=limit, batch_size=batch_size)
    unsafe = unsafe_no_sandbox
    asked = _work(job, store, out, out / "logs", on_progress=on_progress, workers=workers, unsafe=unsafe)
    answers = {task.name: [a for a in asked[name] if a.task == task.name] for task in evaluation.scored}
    scored, mean = score_answers(
        {task: [Given(a.answer, a.options, a.target, a.prompt) for a in given] for task, given in answers.items()},
        evaluation,
    )
    first = {task.name: task.scoring[0] for task in evaluation.scored}
    return AdapterScores(
        answers,
        {task: scores[first[task]] for task, scores in scored.items()},
        {task: {s: one for s, one in scores.items() if s != first[task]} for task, scores in scored.items()},
        mean,
    )


def evaluate_folder(
    compiled: Path, model: Path, held: Model, *, store: Store, out: Path, on_progress: Progress
) -> dict[str, list[AskedItem]]:
    """Ask a model that lies in a folder, loaded as `held` says, the tasks of a benchmark. Task → answers, in order.

    Working files stay in `out`. Raises as `evaluate_run`.
    """
    plan = _plan(compiled)
    job = Job(
        compiled=str(compiled.absolute()),
        stores=[str(root) for root in store.roots],
        model=str(model.absolute()),
        model_digest=model_digest(model),
        held=held,
        phases=[Phase(name=TUNED, adapter=None)],
        cache=str((out / "cache.jsonl").absolute()),
        answers=str((out / "answers").absolute()),
    )
    asked = _work(job, store, out, out / "logs", on_progress=on_progress, workers=1, unsafe=False)[TUNED]
    return {task.name: [a for a in asked if a.task == task.name] for task in plan.typed_spec().evaluation.tasks}


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
        pin = plan.pins.sources[f"task:{task.name}"]
        if pin.digest is None:
            hint = f"resolve the pins with `ftbench lock {plan.metadata.name}` online"
            raise MissingResource(Diagnostic(codes.ITEMS_UNFIT, f"the items of {task.name} are not pinned", hint=hint))
        store.data_path(pin.digest, f"items of task {task.name}")
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


def _work(
    job: Job, store: Store, folder: Path, logs: Path, *, on_progress: Progress, workers: int | None, unsafe: bool
) -> dict[str, list[AskedItem]]:
    """Answers by phase; the worker's file of them is taken away, seconds and memory are left beside the cache."""
    began, plan = time.monotonic(), _plan(Path(job.compiled))
    sandbox = check_sandbox(Path(job.compiled), plan, unsafe=unsafe)
    beside = Peak(0, 0)
    if not visible():
        job = job.model_copy(update={"processes": workers or as_many()})
    elif (workers or 1) > 1:
        beside = work_shares(job, workers or 1, folder, logs, on_progress)
    job = job.model_copy(update={"also": found_beside(Path(job.cache))})
    alone = work(job, folder / "job.json", logs / "evaluate.log", on_progress)
    asked = {phase.name: read_answers(Path(job.answers) / f"{phase.name}.jsonl") for phase in job.phases}
    asked = run_programs(Path(job.compiled), plan, store, asked, on_progress, unsafe=unsafe)
    shutil.rmtree(job.answers)
    measured = {
        "peak_memory_bytes": max(beside.memory, alone.memory),
        "peak_device_bytes": max(beside.device, alone.device),
        "seconds": round(time.monotonic() - began, 3),
        "sandbox": sandbox,
    }
    _write(folder / "measured.json", json.dumps(measured).encode() + b"\n")
    return asked


def _samples(task: str, asked: Mapping[str, list[AskedItem]]) -> list[Sample]:
    """The items of one task with every model's answer."""
    columns = {name: [a for a in answers if a.task == task] for name, answers in asked.items()}
    made = []
    for row in zip(*columns.values(), strict=True):
        answers = {name: a.answer for name, a in zip(columns, row, strict=True)}
        first = row[0]
        if any(a.model_copy(update={"answer": first.answer}) != first for a in row):
            message = f"item {first.index} of task {task} was not asked alike before and after tuning"
            raise RunFailed(Diagnostic(codes.ITEMS_UNFIT, message, hint="evaluate the run again"))
        made.append(
            Sample(
                index=first.index,
                item=first.item,
                prompt=first.prompt,
                options=first.options,
                target=first.target,
                untuned=answers.pop(UNTUNED),
                tuned=answers.pop(TUNED),
                references=answers,
            )
        )
    return made


def _plan(compiled: Path) -> Plan:
    path = compiled / PLAN
    try:
        return Plan.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        why = error.errors()[0]["msg"] if isinstance(error, ValidationError) else error.strerror
        message = f"this is no plan of a compiled benchmark: {why}"
        hint = "compile it with `ftbench compile`"
        raise InvalidInput(Diagnostic(codes.EVALUATION_NOT_A_RUN, message, Place(str(path)), hint)) from error


def _entry(path: Path) -> ResolvedEntry:
    try:
        return ResolvedEntry.model_validate(yaml.read(path).value)
    except ValidationError as error:
        message = f"{path} is not the entry of a run: {because(error)}"
        raise InvalidInput(Diagnostic(codes.EVALUATION_NOT_A_RUN, message, hint="give the folder of a run")) from error


def _write(path: Path, data: bytes) -> None:
    """Put `data` at `path` so that a kill at any moment leaves the old file or the new one."""
    temporary = path.with_name(f".{path.name}.tmp")
    with temporary.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
