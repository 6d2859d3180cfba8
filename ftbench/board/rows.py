"""From verified bundles to rows: runs of one entry with different seeds become one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from statistics import fmean, stdev

from ftbench.board.compare import Contender, mean_marks
from ftbench.board.model import BundleRef, Estimate, Rank, Reference, Row
from ftbench.board.submission import Submission
from ftbench.result.models import LEVELS, Difference, Interval, Mean

UNRANKED = Rank(best=1, worst=1)
"""Stands in a row until all rows of its table have been compared."""


def by_entry(submissions: Iterable[Submission]) -> list[list[Submission]]:
    """Group by base model and knobs; groups and members in a stable order."""
    groups: dict[str, list[Submission]] = defaultdict(list)
    for one in submissions:
        groups[one.key].append(one)
    return [
        sorted(groups[key], key=lambda one: (one.result.seed, one.verdict.bundle or "", one.path))
        for key in sorted(groups)
    ]


def row(group: Sequence[Submission], spec_seeds: Sequence[int]) -> Row:
    """One entry's row, not ranked yet. `spec_seeds`: the seeds that the spec asks for."""
    first = group[0]
    assert first.entry is not None
    seeds = sorted({one.result.seed for one in group})
    results = [one.result for one in group]
    per_seed = _over_seeds(group, lambda one: one.result.scores.tuned.value)
    return Row(
        rank=UNRANKED,
        entry=first.key,
        names=sorted({one.entry.metadata.name for one in group if one.entry is not None}),
        model=first.entry.model,
        knobs=dict(sorted(first.entry.knobs.items())),
        level=min((one.verdict.level for one in group), key=LEVELS.index),
        score=_estimate(group, lambda one: one.result.scores.tuned),
        gain=_estimate(group, lambda one: one.result.scores.difference),
        spread=stdev(per_seed) if len(per_seed) > 1 else None,
        tasks={task: _on_task(group, task) for task in sorted(first.result.scores.tasks)},
        seeds=seeds,
        missing_seeds=sorted(set(spec_seeds) - set(seeds)),
        bytes_down=round(fmean(result.cost.bytes_down for result in results)),
        bytes_up=round(fmean(result.cost.bytes_up for result in results)),
        trainable_parameters=max(result.cost.trainable_parameters for result in results),
        train_seconds=_mean_or_none(result.cost.train_seconds for result in results),
        peak_memory_bytes=max(
            (cost for result in results if (cost := result.cost.peak_memory_bytes) is not None), default=None
        ),
        exclusions=sum(result.exclusions for result in results),
        bundles=[_reference(one) for one in group],
        notes=_notes(group),
    )


def contender(group: Sequence[Submission], finished: Row) -> Contender:
    """What the comparison with other rows needs. Runs of the same seed count once."""
    marks = [mean_marks([one.marks for one in runs]) for runs in _by_seed(group).values()]
    return Contender(finished.score.value, finished.score.interval, mean_marks(marks))


def untuned(submissions: Sequence[Submission]) -> list[Reference]:
    """The base models before tuning, one reference each."""
    groups: dict[tuple[str, str], list[Submission]] = defaultdict(list)
    for one in submissions:
        groups[one.result.model.name, one.result.model.revision].append(one)
    return [
        Reference(
            kind="untuned",
            model=group[0].result.model,
            score=_plain(group, lambda one: one.result.scores.untuned),
            bundles=len(group),
        )
        for _, group in sorted(groups.items())
    ]


def _notes(group: Sequence[Submission]) -> list[str]:
    notes = []
    if any(one.result.unpinned for one in group):
        notes.append("other package versions than the plan's")
    if excluded := sum(one.result.exclusions for one in group):
        notes.append(f"{excluded} client replies left out")
    if not all(one.result.bit_reproducible for one in group):
        notes.append("not bit-reproducible")
    for seed, runs in _by_seed(group).items():
        if len({run.result.adapter for run in runs}) > 1:
            notes.append(f"{len(runs)} runs of seed {seed} end at different adapters; their mean stands here")
    return notes


def _by_seed(group: Sequence[Submission]) -> dict[int, list[Submission]]:
    runs: dict[int, list[Submission]] = defaultdict(list)
    for one in group:
        runs[one.result.seed].append(one)
    return dict(sorted(runs.items()))


def _over_seeds(group: Sequence[Submission], figure: Callable[[Submission], float]) -> list[float]:
    """One figure a seed: several runs of the same seed count once, by their mean."""
    return [fmean(figure(run) for run in runs) for runs in _by_seed(group).values()]


def _on_task(group: Sequence[Submission], task: str) -> float:
    return fmean(_over_seeds(group, lambda one: one.result.scores.tasks[task].tuned.value))


def _estimate(group: Sequence[Submission], part: Callable[[Submission], Mean | Difference]) -> Estimate:
    return Estimate(
        value=fmean(_over_seeds(group, lambda one: part(one).value)),
        interval=Interval(
            low=fmean(_over_seeds(group, lambda one: part(one).interval.low)),
            high=fmean(_over_seeds(group, lambda one: part(one).interval.high)),
        ),
    )


def _plain(group: Sequence[Submission], part: Callable[[Submission], Mean]) -> Estimate:
    return Estimate(
        value=fmean(part(one).value for one in group),
        interval=Interval(
            low=fmean(part(one).interval.low for one in group), high=fmean(part(one).interval.high for one in group)
        ),
    )


def _mean_or_none(figures: Iterable[float | None]) -> float | None:
    known = [figure for figure in figures if figure is not None]
    return fmean(known) if known else None


def _reference(one: Submission) -> BundleRef:
    assert one.verdict.bundle is not None
    return BundleRef(
        path=one.path,
        bundle=one.verdict.bundle,
        seed=one.result.seed,
        level=one.verdict.level,
        score=one.result.scores.tuned.value,
    )
