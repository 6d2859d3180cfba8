"""Two runs side by side: conditions that differ, a paired test for each task, items gained and lost."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ftbench import codes
from ftbench.board import maxt
from ftbench.board.clusters import Clustering, clustering
from ftbench.board.collect import known_plans, marks_of
from ftbench.board.compare import Contender, compare, standard_errors
from ftbench.board.submission import Marks
from ftbench.compile.plan import Plan
from ftbench.data.store import Store
from ftbench.diagnostics import Diagnostic, Place
from ftbench.errors import InvalidInput, MissingResource
from ftbench.result.bundle import open_bundle
from ftbench.result.documents import Interval, Result
from ftbench.spec.entries import load_entry
from ftbench.spec.entry import ResolvedEntry
from ftbench.spec.primitives import Block
from ftbench.verify.documents import Documents, read

BUNDLE = "bundle"
"""Folder of a run that its bundle lies in."""
SHOWN = 8
"""Items that are named in text; --json has them all."""


class Condition(Block):
    """Something that the two have otherwise."""

    path: str
    """A knob, `model`, `seed`, `engine` or the like."""
    a: Any
    """Value of A; null where it has none."""
    b: Any
    """Value of B."""


class TaskChange(Block):
    """One task, or the mean over tasks, by the scoring that ranks: B minus A on the same items."""

    task: str
    """Its name; `mean` for the plain mean over tasks."""
    items: int
    """Items that both answered."""
    a: float
    """Score of A."""
    b: float
    """Score of B."""
    difference: float
    """B minus A."""
    standard_error: float
    """Of the difference, over items."""
    clustered_error: float | None
    """Over clusters; null where the task names none."""
    p_value: float
    """By sign flips (docs/scoring.md); of the tasks adjusted for their number by Holm's steps, of the mean as it is."""
    apart: bool
    """Whether the two differ at the spec's confidence."""
    gained: list[int]
    """Items that B answers rightly and A does not, by their place; empty for the mean."""
    lost: list[int]
    """Items that A answers rightly and B does not."""


class Versus(Block):
    """`ftbench compare`."""

    format: Literal["ftbench/output/compare/v1"] = "ftbench/output/compare/v1"
    """Format of this document."""
    a: str
    """The first, as it was named."""
    b: str
    """The second."""
    spec_hash: str | None
    """What both have in common; null for two entries' files."""
    confidence: float | None
    """Of the tests; null for two entries' files."""
    conditions: list[Condition]
    """What differs."""
    tasks: list[TaskChange]
    """By name, then their mean; empty for two entries' files."""


@dataclass(frozen=True)
class _Side:
    path: Path
    documents: Documents
    spec_hash: str

    @property
    def claims(self) -> tuple[Result, ResolvedEntry]:
        assert self.documents.result is not None and self.documents.entry is not None
        return self.documents.result, self.documents.entry


def is_entry(path: Path) -> bool:
    """Whether a path looks like an entry's file."""
    return path.is_file() and path.suffix in {".yaml", ".yml"}


def is_run(path: Path) -> bool:
    """Whether a path looks like a run or a bundle."""
    if path.is_file():
        return path.name.endswith((".zip", ".tar.gz", ".tgz"))
    return (path / "manifest.json").is_file() or (path / BUNDLE / "manifest.json").is_file()


def entries(a: Path, b: Path) -> Versus:
    """Two entries' files: their choices alone. Raises InvalidInput for one that is no entry."""
    one, other = (_chosen(path) for path in (a, b))
    return Versus(a=str(a), b=str(b), spec_hash=None, confidence=None, conditions=differing(one, other), tasks=[])


def versus(a: Path, b: Path, *, benchmarks: Sequence[Path], store: Store) -> Versus:
    """Two runs or bundles of one spec hash.

    Raises InvalidInput: FTB710 for what is no run or cannot be scored, FTB708 for two hashes; MissingResource (FTB911)
    where the benchmark is not known here.
    """
    one, other = _side(a), _side(b)
    if one.spec_hash != other.spec_hash:
        message = f"A has spec hash {one.spec_hash[:12]}, B {other.spec_hash[:12]}: they answer different questions"
        raise InvalidInput(Diagnostic(codes.NOT_COMPARABLE, message, hint="`ftbench diff` says how two specs differ"))
    plan = known_plans(benchmarks).get(one.spec_hash)
    if plan is None:
        hint = "name the folder of compiled benchmarks with --benchmarks"
        raise MissingResource(
            Diagnostic(codes.NO_PLAN, f"no benchmark of spec hash {one.spec_hash} is known", hint=hint)
        )
    confidence = plan.typed_spec().evaluation.confidence
    return Versus(
        a=str(a),
        b=str(b),
        spec_hash=one.spec_hash,
        confidence=confidence,
        conditions=differing(told(*one.claims), told(*other.claims)),
        tasks=changes(_marks(one, plan), _marks(other, plan), confidence, clustering(plan, store), one.spec_hash),
    )


def changes(a: Marks, b: Marks, confidence: float, items: Clustering, spec_hash: str) -> list[TaskChange]:
    """Task by task and their mean. Raises InvalidInput (FTB710) where the two have not the same items."""
    if {task: len(marks) for task, marks in a.items()} != {task: len(marks) for task, marks in b.items()}:
        raise InvalidInput(Diagnostic(codes.NOTHING_TO_COMPARE, "A and B were not asked the same items"))
    seed = int(spec_hash[:15], 16)
    by_task = [_change(task, {task: a[task]}, {task: b[task]}, confidence, items, seed) for task in sorted(a)]
    found, rank, worst = {}, len(by_task), 0.0
    for one in sorted(by_task, key=lambda one: one.p_value):
        worst = max(worst, min(1.0, one.p_value * rank))
        rank -= 1
        found[one.task] = one.model_copy(update={"p_value": worst, "apart": worst <= 1 - confidence + 1e-12})
    mean = [_change("mean", a, b, confidence, items, seed)] if len(by_task) > 1 else []
    return [*(found[one.task] for one in by_task), *mean]


def _change(name: str, a: Marks, b: Marks, confidence: float, items: Clustering, seed: int) -> TaskChange:  # noqa: PLR0917
    scores = [sum(sum(marks) / len(marks) for marks in side.values()) / len(side) for side in (a, b)]
    nothing = Interval(low=0.0, high=1.0)
    rows = [Contender(score, nothing, side) for score, side in zip(scores, (a, b), strict=True)]
    pair = compare(rows, confidence, clusters=items.of_task, seed=seed, flips=maxt.FLIPS).pairs[0]
    steps = {task: [after - before for before, after in zip(a[task], b[task], strict=True)] for task in a}
    errors = standard_errors(steps, items.of_task) or (0.0, None)
    alone = next(iter(steps.values())) if len(steps) == 1 else []
    return TaskChange(
        task=name,
        items=sum(map(len, a.values())),
        a=scores[0],
        b=scores[1],
        difference=scores[1] - scores[0],
        standard_error=errors[0],
        clustered_error=errors[1],
        p_value=1.0 if pair.p_value is None else pair.p_value,
        apart=pair.apart,
        gained=[place for place, step in enumerate(alone) if step > 0],
        lost=[place for place, step in enumerate(alone) if step < 0],
    )


def differing(a: Mapping[str, Any], b: Mapping[str, Any]) -> list[Condition]:
    """What the two have otherwise, by path."""
    return [
        Condition(path=path, a=a.get(path), b=b.get(path))
        for path in sorted(a.keys() | b.keys())
        if shown(a.get(path)) != shown(b.get(path))
    ]


def lines(found: Versus) -> Iterator[str]:
    """For people."""
    yield f"A: {found.a}"
    yield f"B: {found.b}"
    for one in found.conditions:
        yield f"  {one.path}: {shown(one.a)} → {shown(one.b)}"
    if not found.conditions:
        yield "  no condition differs"
    for task in found.tasks:
        apart = "differ" if task.apart else "not told apart"
        error = f"SE {100 * task.standard_error:.2f}"
        error += "" if task.clustered_error is None else f", {100 * task.clustered_error:.2f} clustered"
        yield f"{task.task}, {task.items:,} items: {100 * task.a:.1f} → {100 * task.b:.1f}"
        yield f"  {100 * task.difference:+.1f} points ({error}), p {task.p_value:.4f}: {apart}"
        for word, places in (("gained", task.gained), ("lost", task.lost)):
            if places:
                more = ", …" if len(places) > SHOWN else ""
                yield f"  {word} {len(places):,}: items {', '.join(map(str, places[:SHOWN]))}{more}"


def _chosen(path: Path) -> dict[str, Any]:
    entry = load_entry(path)
    model = {} if entry.model is None else {"model": f"{entry.model.name}@{entry.model.revision or 'main'}"}
    return {**entry.knobs, **model, **({} if entry.seed is None else {"seed": entry.seed})}


def _side(path: Path) -> _Side:
    bundle = path / BUNDLE if (path / BUNDLE / "manifest.json").is_file() else path
    if not is_run(path):
        hint = "a side is a run's folder, a bundle, or (both sides) an entry's file"
        raise InvalidInput(Diagnostic(codes.NOTHING_TO_COMPARE, "this is no run and no bundle", Place(str(path)), hint))
    documents = read(open_bundle(bundle))
    if documents.result is None or documents.entry is None:
        why = documents.problems[0].message if documents.problems else "its result or entry is missing"
        message = f"its result or entry cannot be read: {why}"
        raise InvalidInput(Diagnostic(codes.NOTHING_TO_COMPARE, message, Place(str(path))))
    return _Side(path, documents, documents.result.spec_hash)


def told(result: Result, entry: ResolvedEntry) -> dict[str, Any]:
    """The conditions of a run, by path, as `differing` takes them."""
    return {
        **entry.knobs,
        "model": f"{entry.model.name}@{entry.model.revision}",
        "seed": entry.seed,
        "engine": result.engine,
        "smoke": result.smoke,
        "unpinned": result.unpinned,
        "division": result.division,
        "checkpoint round": result.checkpoint_round,
    }


def _marks(side: _Side, plan: Plan) -> Marks:
    evaluation = plan.typed_spec().evaluation
    marks = marks_of(side.documents.samples, evaluation)
    if set(marks) != {task.name for task in evaluation.ranked}:
        raise InvalidInput(Diagnostic(codes.NOTHING_TO_COMPARE, "its samples cannot be scored", Place(str(side.path))))
    return marks


def shown(value: Any) -> str:
    """A condition's value in words."""
    return "—" if value is None else value if isinstance(value, str) else json.dumps(value, sort_keys=True)
