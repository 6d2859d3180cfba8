"""From a sweep's runs to its table: figures over seeds as on the leaderboard, paired with the first setting's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean, stdev
from typing import Any, Protocol

from ftbench import codes
from ftbench.board import compare as comparison
from ftbench.board import figures
from ftbench.board.collect import marks_of
from ftbench.board.compare import Pair
from ftbench.board.model import Estimate
from ftbench.board.submission import Clusters, Marks
from ftbench.board.sweep_model import SweepRow, SweepTask
from ftbench.compile.plan import Plan
from ftbench.data.store import Store
from ftbench.diagnostics import Diagnostic, Place
from ftbench.errors import InvalidInput
from ftbench.result.bundle import open_bundle
from ftbench.result.documents import Interval, Result
from ftbench.result.statistics import Estimate as Bounded
from ftbench.result.statistics import mover_mean, paired_difference
from ftbench.spec.canonical import digest
from ftbench.verify.documents import describe_problems, read
from ftbench.verify.filled import filled


@dataclass(frozen=True, slots=True)
class Scored:
    """A whole run: what its bundle tells."""

    result: Result
    marks: Marks
    """Task → 1 for each item that the tuned model answered rightly, else 0."""
    items: str
    """Digest of the items asked: runs with another one cannot be paired."""


BySeed = Mapping[int, Scored]
"""Seed → its whole run."""


class Named(Protocol):
    """A setting."""

    @property
    def name(self) -> str:
        """What it is called."""
        ...

    @property
    def values(self) -> Mapping[str, Any]:
        """What is varied → the value in force."""
        ...


def read_scored(bundle: Path, plan: Plan, store: Store) -> Scored:
    """The bundle of a run; `store` has the items of one that withholds their text.

    Raises InvalidInput (FTB702) where result or samples cannot be read, MissingResource where the items are not here.
    """
    documents, evaluation = read(open_bundle(bundle)), plan.typed_spec().evaluation
    marks = marks_of(filled(documents.samples, plan, store), evaluation)
    if documents.result is None or set(marks) != {task.name for task in evaluation.ranked}:
        why = "; ".join(describe_problems(documents.problems)[:3]) or "its samples cannot be scored"
        hint = "remove the run's folder and give the command again"
        raise InvalidInput(
            Diagnostic(codes.BOARD_UNREADABLE, f"the bundle cannot be read: {why}", Place(str(bundle)), hint)
        )
    asked = {task: [sample.item for sample in lines] for task, lines in sorted(documents.samples.items())}
    return Scored(documents.result, marks, digest(asked))


def row(
    named: Named, due: Sequence[int], runs: BySeed, first: BySeed, *, confidence: float, test: Pair | None = None
) -> SweepRow:
    """One setting. `due`: the sweep's seeds; `first`: the first setting's, empty for itself; `test`: of both."""
    results = [runs[seed].result for seed in sorted(runs)]
    views = [figures.tuned(one.seed, one.scores.tuned, one.scores.tasks) for one in results]
    shared = [seed for seed in due if seed in runs and seed in first and runs[seed].items == first[seed].items]
    paired = {seed: compare(runs[seed], first[seed], confidence) for seed in shared}
    tasks = figures.on_tasks(views) if views else {}
    return SweepRow(
        name=named.name,
        values=dict(named.values),
        seeds=[seed for seed in due if seed in runs],
        missing_seeds=[seed for seed in due if seed not in runs],
        score=figures.score(views) if views else None,
        spread=stdev(one.scores.tuned.value for one in results) if len(results) > 1 else None,
        difference=_over_seeds({seed: mean(found.values()) for seed, found in paired.items()}),
        difference_seeds=shared,
        p_value=None if test is None else test.p_value,
        apart=None if test is None else test.apart,
        gain=_over_seeds({one.seed: figures.estimate(one.scores.difference) for one in results}),
        constant=figures.constant(results) if results else [],
        tasks={
            task: SweepTask(
                scoring=one.scoring,
                items=one.items,
                score=one.score,
                difference=_over_seeds({seed: found[task] for seed, found in paired.items()}),
            )
            for task, one in tasks.items()
        },
        bytes_down=round(fmean(one.cost.bytes_down for one in results)) if results else None,
        bytes_up=round(fmean(one.cost.bytes_up for one in results)) if results else None,
        trainable_parameters=max((one.cost.trainable_parameters for one in results), default=None),
        exclusions=sum(one.exclusions for one in results),
        trials=next((one.selection.trials for one in results if one.selection is not None), None),
    )


def rows(
    settings: Sequence[Named],
    due: Sequence[int],
    scored: Sequence[BySeed],
    confidence: float,
    clusters: Clusters | None = None,
) -> list[SweepRow]:
    """Every setting, with its whole runs in `scored` at the same place; all are tested against the first together."""
    tests = against_first(scored, confidence, clusters)
    return [
        row(named, due, runs, scored[0] if number else {}, confidence=confidence, test=tests.get(number))
        for number, (named, runs) in enumerate(zip(settings, scored, strict=True))
    ]


def against_first(scored: Sequence[BySeed], confidence: float, clusters: Clusters | None = None) -> dict[int, Pair]:
    """Place of a setting → its test against the first, one error for all of them, over the seeds that both have.

    Settings that share no seed or no items with the first are not tested."""
    found: dict[int, Pair] = {}
    groups: dict[tuple[int, ...], list[int]] = {}
    for place, runs in enumerate(scored[1:], 1):
        if shared := _shared(runs, scored[0]):
            groups.setdefault(shared, []).append(place)
    asked = sum(map(len, groups.values()))
    for shared, places in groups.items():
        # Each group of settings gets its share of the error, as tables do that cannot be tested in one.
        level = 1 - (1 - confidence) * len(places) / asked
        contenders = [_contender(scored[place], shared) for place in (0, *places)]
        pairs = [(number, 0) for number in range(1, len(contenders))]
        tested = comparison.compare(contenders, level, pairs=pairs, clusters=clusters).pairs
        # `compare` adjusts for its own pairs; those of the other groups are added by Bonferroni.
        found |= {places[one.a - 1]: _spread(one, asked / len(places)) for one in tested}
    return found


def _shared(runs: BySeed, first: BySeed) -> tuple[int, ...]:
    return tuple(seed for seed in sorted(runs) if seed in first and runs[seed].items == first[seed].items)


def _contender(runs: BySeed, seeds: Sequence[int]) -> comparison.Contender:
    results = [runs[seed].result for seed in seeds]
    score = figures.over_seeds((one.seed, figures.estimate(one.scores.tuned)) for one in results)
    marks = [runs[seed].marks for seed in seeds]
    values = [one.scores.tuned.value for one in results]
    return comparison.Contender(score.value, score.interval, comparison.mean_marks(marks), values, marks)


def _spread(pair: Pair, share: float) -> Pair:
    return replace(pair, p_value=None if pair.p_value is None else min(1.0, pair.p_value * share))


def compare(run: Scored, first: Scored, confidence: float) -> dict[str, Estimate]:
    """Task → `run` minus `first` on the same items, with the paired interval."""
    return {task: _paired(run.marks[task], first.marks[task], confidence) for task in sorted(run.marks)}


def mean(differences: Iterable[Estimate]) -> Estimate:
    """Plain mean over tasks, by MOVER."""
    found = mover_mean([Bounded(d.value, d.interval.low, d.interval.high) for d in differences], (-1.0, 1.0))
    return Estimate(value=found.value, interval=Interval(low=found.low, high=found.high))


def _paired(after: Sequence[float], before: Sequence[float], confidence: float) -> Estimate:
    counts = Counter((b > 0.5, a > 0.5) for a, b in zip(after, before, strict=True))
    found = paired_difference(
        counts[True, True], counts[False, True], counts[True, False], counts[False, False], confidence
    )
    return Estimate(value=found.value, interval=Interval(low=found.low, high=found.high))


def _over_seeds(by_seed: Mapping[int, Estimate]) -> Estimate | None:
    return figures.over_seeds(by_seed.items()) if by_seed else None
