"""What the rows of a table share, in a few lines: a table that is printed or passed on is read without its spec."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ftbench.board.model import Table
from ftbench.compile.plan import Plan
from ftbench.data.loaded import describe
from ftbench.result.budgets import MIB
from ftbench.site import figures
from ftbench.site.render import LADDER, MEANS
from ftbench.spec.knobs import ranges
from ftbench.spec.model import Spec
from ftbench.spec.sources import FileSource


def told(plan: Plan | None) -> list[tuple[str, str]]:
    """Name and value of each condition, the benchmark's own values where an entry may choose; none where the benchmark
    is not known here."""
    return [] if plan is None else [(name, value) for name, value in _told(plan, plan.typed_spec()) if value]


def levels(table: Table) -> list[tuple[str, str]]:
    """Every level that a row of the table has, lowest first, and what it says."""
    here = {row.level for row in table.rows}
    return [(level, MEANS[level]) for level in LADDER if level in here]


def _told(plan: Plan, spec: Spec) -> Iterator[tuple[str, str]]:
    asked, trained, model = spec.federation, spec.training, spec.model
    bits = f", in {model.quantization.bits} bits" if model.quantization else ""
    yield "base model", f"{model.base.name}@{model.base.revision[:12]}, {model.dtype}{bits}"
    yield "training data", _rows(plan, spec)
    each = f"{100 * asked.sampling.fraction:g} % of them in each of {asked.rounds:,} rounds"
    yield "clients", f"{asked.clients:,}, dealt by {asked.partition.kind}, {each}"
    steps = f"{trained.local_steps:,} steps of {trained.batch_size:,} rows, {trained.sequence_length:,} tokens at most"
    rate = f"{trained.optimizer.kind} at {trained.schedule.learning_rate:g}, {trained.schedule.kind}"
    yield "a client’s round", f"{steps}; {rate}; {spec.objective.kind}"
    yield "adapter", f"{spec.adapter.kind} of rank {spec.adapter.rank}"
    yield "strategy", spec.strategy.kind
    yield "transport", f"{spec.transport.down} down, {spec.transport.up} up"
    if spec.privacy is not None:
        yield "privacy", f"{spec.privacy.kind}, epsilon {spec.privacy.epsilon:g} at delta {spec.privacy.delta:g}"
    if spec.faults is not None:
        yield "faults", "planned by the spec"
    sent = figures.size(spec.budget.communication_mib * MIB)
    yield "budget", f"{sent} in a run, {spec.budget.trainable_parameters:,} trained parameters"
    yield "tasks", "; ".join(_task(one.name, one.scoring) for one in spec.evaluation.tasks)
    yield (
        "scored",
        {"last": "the last round", "best-validation": "the round with the least validation loss"}[
            spec.evaluation.checkpoint
        ],
    )
    yield "seeds", ", ".join(map(str, spec.seeds.runs))
    yield "left to entries", "; ".join(f"{path}: {what.replace('`', '')}" for path, what in ranges(spec).items())


def _rows(plan: Plan, spec: Spec) -> str:
    source, pin = spec.data.source, plan.pins.sources.get("train")
    said = "local files" if isinstance(source, FileSource) else describe(source, pin.revision if pin else None)
    known = f", {pin.rows:,} rows, {pin.digest[:12]}" if pin is not None and pin.rows and pin.digest else ""
    return said + known


def _task(name: str, scoring: Sequence[str]) -> str:
    """The first scoring ranks, the others stand beside it."""
    beside = f", beside it {' and '.join(scoring[1:])}" if len(scoring) > 1 else ""
    return f"{name} by {scoring[0]}{beside}"
