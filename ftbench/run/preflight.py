"""What is looked at before a run begins: packages, data and model, disk."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

from ftbench.compile.plan import Plan
from ftbench.data.store import Store
from ftbench.diagnostics import Diagnostic, Place
from ftbench.errors import InvalidInput, MissingResource
from ftbench.run import codes
from ftbench.run.environment import differences
from ftbench.spec.entry import ResolvedEntry

LEAST_DISK = 256 * 2**20
"""Bytes that must be free where the run's folder goes."""


def check(plan: Plan, entry: ResolvedEntry, store: Store, where: Path, *, unpinned: bool) -> None:
    """Raise with everything that stands in the way: MissingResource, or InvalidInput for the seed.

    `where` is an existing folder on the disk that the run will fill.
    """
    runs = plan.typed_spec().seeds.runs
    if entry.seed not in runs:
        hint = f"choose one of {', '.join(str(seed) for seed in runs)}"
        raise InvalidInput(Diagnostic(codes.OTHER_SEED, f"seed {entry.seed} is none of the benchmark's", hint=hint))
    found = _packages(plan, unpinned=unpinned) + _stored(plan, entry, store) + _disk(where)
    if found:
        raise MissingResource(found)


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


def _stored(plan: Plan, entry: ResolvedEntry, store: Store) -> list[Diagnostic]:
    """What is not in the store, or damaged there: each is read once against its digest."""
    model = f"{entry.model.name}@{entry.model.revision}"
    looks: list[Callable[[], object]] = [
        partial(store.data_path, pin.digest, name) for name, pin in sorted(plan.pins.sources.items())
    ]
    looks.append(partial(store.partition, plan.pins.partition.digest, "partition of the training rows"))
    looks.append(lambda: store.model_path(store.model_digest(entry.model), model))
    found: list[Diagnostic] = []
    for look in looks:
        try:
            look()
        except MissingResource as error:
            found += error.diagnostics
    return found


def _disk(where: Path) -> list[Diagnostic]:
    free = shutil.disk_usage(where).free
    if free >= LEAST_DISK:
        return []
    message = f"only {free // 2**20} MiB are free, a run needs at least {LEAST_DISK // 2**20}"
    return [Diagnostic(codes.DISK_FULL, message, Place(str(where)), hint="free some space, or choose another `--out`")]
