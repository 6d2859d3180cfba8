"""Spec and pins → plan → files. Reads nothing but its arguments and ftbench's own modules.

The order of digests has no circle (design §5): code → plan.json → spec hash → pyproject.toml → FAB hash → lock.
"""

from __future__ import annotations

from dataclasses import dataclass

from ftbench.compile import emit_app, emit_readme, emit_tasks
from ftbench.compile.fab import fab_hash
from ftbench.compile.plan import Plan
from ftbench.compile.sources import app_modules, task_modules
from ftbench.compile.stack import STACK, stack
from ftbench.compile.values import hashed, without_nulls
from ftbench.spec.canonical import pretty, sha256
from ftbench.spec.lock import Lock
from ftbench.spec.model import Spec
from ftbench.spec.pins import Pins

LOCK_NAME = "ftbench.lock"


@dataclass(frozen=True)
class Compiled:
    """A compiled benchmark in memory: path inside the folder → bytes, the lock among them."""

    plan: Plan
    lock: Lock
    files: dict[str, bytes]

    @property
    def folder(self) -> str:
        """Where it goes below `generated/`: name and version."""
        return f"{self.plan.metadata.name}/{self.plan.metadata.version}"


def make_plan(spec: Spec, pins: Pins) -> Plan:
    """Resolve a spec: defaults filled in, references as digests, code and stack named."""
    spec = hashed(spec)
    plan = Plan(
        metadata=spec.metadata,
        reporting=spec.reporting,
        spec=without_nulls(spec),
        pins=pins.hashed(),
        code={},
        stack=stack(spec),
    )
    # The task files follow from the spec alone; with them the plan names all that asks and scores.
    code = {**app_modules(spec), **task_modules(spec), **emit_tasks.emit(plan)}
    return plan.model_copy(update={"code": {path: sha256(data) for path, data in sorted(code.items())}})


def compile_spec(spec: Spec, pins: Pins) -> Compiled:
    """Every file of the compiled benchmark. Same arguments, same bytes, on any machine."""
    plan = make_plan(spec, pins)
    spec_hash = plan.spec_hash
    files = {
        **app_modules(spec),
        **task_modules(spec),
        **emit_app.emit(plan),
        **emit_tasks.emit(plan),
        **emit_readme.emit(plan, spec_hash),
    }
    lock = Lock(
        name=plan.metadata.name,
        version=plan.metadata.version,
        spec_hash=spec_hash,
        fab_hash=fab_hash(files),
        flwr=STACK["flwr"],
        files={path: sha256(data) for path, data in sorted(files.items())},
    )
    files[LOCK_NAME] = pretty(lock.model_dump(mode="json"))
    return Compiled(plan, lock, files)
