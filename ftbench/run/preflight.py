"""What is looked at before a run begins: pins, packages, data and model, disk."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from ftbench import codes
from ftbench.compile.plan import Plan
from ftbench.data import fitness
from ftbench.data.sources import TRAIN
from ftbench.data.store import Store
from ftbench.diagnostics import Diagnostic, Place
from ftbench.errors import InvalidInput, MissingResource
from ftbench.result.references import due_references
from ftbench.run import keep
from ftbench.run.base_model import fetch_command
from ftbench.run.beside import Beside
from ftbench.run.disk import elements, state_bytes
from ftbench.run.environment import differences
from ftbench.run.evaluation.trial import Asked, Trial
from ftbench.run.processes import tree
from ftbench.run.rundir import RunDir
from ftbench.spec.checks.pins import unresolved
from ftbench.spec.entries import apply
from ftbench.spec.entry import ResolvedEntry
from ftbench.spec.model import BaseModelRef, SitesSource
from ftbench.spec.outline import Outline
from ftbench.spec.pins import Pins

LEAST_DISK = 256 * 2**20
"""Bytes that must be free where the run's folder goes."""


def check_before_run(
    plan: Plan,
    entry: ResolvedEntry,
    store: Store,
    where: Path,
    *,
    unpinned: bool,
    spec: str = "",
    apart: bool = False,
    bring: Callable[[BaseModelRef], None] | None = None,
) -> None:
    """Raise with everything that stands in the way: MissingResource, or InvalidInput for the seed.

    `where` is an existing folder on the disk that the run will fill, `spec` how the user named the benchmark: the
    commands that mend something name it. `apart`: clients hold their own rows, and what only they read may be missing
    here. When nothing but the base model may be missing, `bring` is called to get it.
    """
    runs = plan.typed_spec().seeds.runs
    if entry.seed not in runs:
        hint = f"choose one of {', '.join(str(seed) for seed in runs)}"
        raise InvalidInput(Diagnostic(codes.OTHER_SEED, f"seed {entry.seed} is none of the benchmark's", hint=hint))
    found = _unresolved(plan, spec) + _packages(plan, unpinned=unpinned) + _stored(plan, store, spec, apart=apart)
    full = _disk(where)
    if bring is not None and not found and not full:
        bring(entry.model)
    found += _model(entry.model, store) + full
    if found:
        raise MissingResource(found)


def look_ahead(
    run: RunDir,
    plan: Plan,
    entry: ResolvedEntry,
    store: Store,
    *,
    outline: Outline,
    apart: bool,
    limit: int | None,
    say: Callable[[str], None],
) -> Beside:
    """What is knowable of disk, items and rows with the base model at hand; to be asked before the first round.

    `apart` as above; `limit`: only the first items of each task will be asked. `say` is told what becomes of rows.
    What the tokenizer says of items and rows is asked in a process that goes on: nothing may count before it has
    passed. Raises MissingResource (FTB504), InvalidInput (FTB36x).
    """
    spec = apply(plan.typed_spec(), entry)
    every = keep.in_force(run.settings().keep, spec, outline)
    filled = state_bytes(spec, outline, rounds=1 if limit else None) + keep.archive_bytes(
        spec, elements(spec, outline), every
    )
    if full := _disk(run.path, filled):
        raise MissingResource(full)
    files = {task.name: plan.pins.sources[f"task:{task.name}"].digest for task in spec.evaluation.tasks}
    unfit = [
        one
        for name, digest in files.items()
        if digest and store.has_rows(digest)
        for one in fitness.place_problems(fitness.look(spec, f"task:{name}", store.rows(digest)))[0]
    ]
    if unfit:
        raise InvalidInput(unfit)
    trial = Trial(
        model=str(store.model_path(store.model_digest(entry.model)).absolute()),
        name=entry.model.name,
        app=str((run.compiled / "app").absolute()),
        spec=spec.model_dump(mode="json", exclude_none=True),
        items={name: str(store.data_path(digest).absolute()) for name, digest in files.items() if digest},
        limit=limit,
    )
    if not apart and not isinstance(spec.data.source, SitesSource):
        trial = trial.model_copy(update=training_files(plan.pins, store))
    asked = Asked(trial, run.logs / "trial.json", run.logs / "trial.log", tree.beside(run.marker()))
    return Beside(asked, run, say)


def training_files(pins: Pins, store: Store) -> dict[str, str]:
    """Files of the training rows, of their partition and of the validation cut, by the names that a trial has for them;
    none where the rows are not pinned."""
    train, partition = pins.sources[TRAIN].digest, pins.partition
    if train is None or partition is None:
        return {}
    found = {"rows": store.data_path(train), "shares": store.partition_path(partition.digest)}
    if partition.validation:
        found["validation"] = store.partition_path(partition.validation)
    return {name: str(path.absolute()) for name, path in found.items()}


def check_resolved(plan: Plan, spec: str) -> None:
    """Raise MissingResource for a draft whose data is not pinned yet: it can be compiled, but not run."""
    if found := _unresolved(plan, spec):
        raise MissingResource(found)


def _unresolved(plan: Plan, spec: str) -> list[Diagnostic]:
    hint = f"where there is a connection to the hub, run: {_command('lock', spec)}"
    return [replace(one, severity="error", hint=hint) for one in unresolved(plan.typed_spec(), plan.pins)]


def _command(command: str, spec: str) -> str:
    """`ftbench COMMAND SPEC`. A compiled folder is no spec: then SPEC stands for the one it was made from."""
    return f"ftbench {command} {shlex.quote(spec) if spec and not Path(spec).is_dir() else 'SPEC'}"


def _packages(plan: Plan, *, unpinned: bool) -> list[Diagnostic]:
    wrong = differences(plan.stack)
    missing = [name for name, version in wrong.items() if version is None]
    if unpinned:
        wrong = {name: version for name, version in wrong.items() if name in missing}
    found = []
    if wrong:
        listed = ", ".join(f"{name} {plan.stack[name]} (here: {version or 'none'})" for name, version in wrong.items())
        command = "pip install " + " ".join(f"{name}=={plan.stack[name]}" for name in wrong)
        hint = command if missing else f"{command}; or `--unpinned`, whose result does not pass CONFORMS"
        found.append(Diagnostic(codes.OTHER_STACK, f"the plan fixes other package versions: {listed}", hint=hint))
    return found


def _stored(plan: Plan, store: Store, spec: str, *, apart: bool) -> list[Diagnostic]:
    """Rows and partitions that are not in the store, or damaged there: each is read once against its digest.

    Training rows that are at their clients only are needed here for a validation cut and for references.
    """
    whole = plan.typed_spec()
    if isinstance(whole.data.source, SitesSource) and not apart:
        return _at_sites(plan, store) + [
            diagnostic
            for name, pin in sorted(plan.pins.sources.items())
            if pin.digest and name != TRAIN
            for diagnostic in _missing(partial(store.data_path, pin.digest, name, _command("data fetch", spec)))
        ]
    training = not apart or whole.data.validation is not None or bool(due_references(whole))
    command = _command("data fetch", spec)
    looks: list[Callable[[], object]] = [
        partial(store.data_path, pin.digest, name, command)
        for name, pin in sorted(plan.pins.sources.items())
        if pin.digest and (training or name != TRAIN)
    ]
    if training and (partition := plan.pins.partition):
        looks.append(partial(store.partition, partition.digest, "partition of the training rows", command))
        if partition.validation:
            looks.append(partial(store.partition, partition.validation, "validation rows", command))
    return [diagnostic for look in looks for diagnostic in _missing(look)]


def _at_sites(plan: Plan, store: Store) -> list[Diagnostic]:
    """Rows that are at their sites, for a run on this machine: a test of somebody who holds all of them."""
    held = plan.pins.partition.digests if plan.pins.partition else []
    missing = [
        digest for digest in held if not any((root / "data" / f"{digest}.jsonl").is_file() for root in store.roots)
    ]
    if not missing:
        return []
    message = f"the rows of {len(missing)} of {len(held)} clients are at their sites, and not on this machine"
    hint = "run it where they are: `ftbench run SPEC --superlink NAME --secret FILE`"
    return [Diagnostic(codes.SITE_ROWS, message, hint=hint)]


def _model(ref: BaseModelRef, store: Store) -> list[Diagnostic]:
    """The base model, where it is not in the store or is damaged there."""
    name, command = f"{ref.name}@{ref.revision}", fetch_command(ref)
    return _missing(lambda: store.model_path(store.model_digest(ref), name, command))


def _missing(look: Callable[[], object]) -> list[Diagnostic]:
    try:
        look()
    except MissingResource as error:
        return error.diagnostics
    return []


def _disk(where: Path, states: int = 0) -> list[Diagnostic]:
    """`states`: bytes of adapters that the run will keep, as far as that is known yet."""
    free, needed = shutil.disk_usage(where).free, LEAST_DISK + states
    if free >= needed:
        return []
    kept = f", about {states // 2**20:,} of them for the adapters of its rounds" if states else ""
    message = f"only {free // 2**20:,} MiB are free, a run needs at least {needed // 2**20:,}{kept}"
    hint = "free some space, or choose another `--out`" + ("; a lower adapter.rank needs less" if states else "")
    return [Diagnostic(codes.DISK_FULL, message, Place(str(where)), hint=hint)]
