"""Scores of one model over several runs as one figure: runs of the same seed count once, seeds count alike."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean

from ftbench.board.model import Estimate, OtherScoring, TaskFigure
from ftbench.result.documents import Difference, Interval, Mean, Result, Score, ScoringScores, TaskScores
from ftbench.result.statistics import Estimate as Bounded
from ftbench.result.statistics import mover_mean


@dataclass(frozen=True)
class OnTask:
    """One model of one run on one task by one scoring."""

    scoring: str
    score: Score
    gain: Difference | None = None


@dataclass(frozen=True)
class View:
    """One model of one run."""

    seed: int
    mean: Mean
    tasks: Mapping[str, OnTask]
    also: Mapping[str, Mapping[str, OnTask]] = field(default_factory=dict)
    """Scoring → task → what it says."""


def tuned(seed: int, mean: Mean, tasks: Mapping[str, TaskScores]) -> View:
    """The model that was tuned, with what it gained."""
    return _view(seed, mean, tasks, lambda name, one: OnTask(name, one.tuned, one.difference))


def untuned(seed: int, mean: Mean, tasks: Mapping[str, TaskScores]) -> View:
    """The base model."""
    return _view(seed, mean, tasks, lambda name, one: OnTask(name, one.untuned))


def reference(seed: int, mean: Mean, tasks: Mapping[str, TaskScores], name: str) -> View:
    """A reference that was trained; only the scoring that ranks is known of it."""
    known = {task: one.references[name] for task, one in tasks.items() if name in one.references}
    return View(seed, mean, {task: OnTask(tasks[task].scoring, score) for task, score in known.items()})


def score(views: Sequence[View]) -> Estimate:
    """The plain mean over tasks, over all runs."""
    return over_seeds((view.seed, estimate(view.mean)) for view in views)


def on_tasks(views: Sequence[View]) -> dict[str, TaskFigure]:
    """Task → figure, by the scoring that ranks; the tasks that all runs have."""
    return _figures([(view.seed, view.tasks) for view in views])


def by_others(views: Sequence[View]) -> dict[str, OtherScoring]:
    """Scoring → figures, for the scorings that do not rank and that all runs have."""
    found = {}
    for name in sorted({name for view in views for name in view.also}):
        if tasks := _figures([(view.seed, view.also.get(name, {})) for view in views]):
            found[name] = OtherScoring(score=_plain_mean([one.score for one in tasks.values()]), tasks=tasks)
    return found


def estimate(figure: Mean | Score | Difference) -> Estimate:
    """A run's own figure with its interval."""
    return Estimate(value=figure.value, interval=figure.interval)


def over_seeds(runs: Iterable[tuple[int, Estimate]]) -> Estimate:
    """Mean over seeds of the mean over that seed's runs, intervals alike."""
    by_seed: dict[int, list[Estimate]] = defaultdict(list)
    for seed, found in runs:
        by_seed[seed].append(found)
    return _average([_average(found) for _, found in sorted(by_seed.items())])


def constant(results: Sequence[Result]) -> list[str]:
    """Tasks, and the mean, that are not above the best constant answer by their mean over bundles."""
    first = results[0].scores
    found = []
    for name, task in sorted(first.tasks.items()):
        told = [one.scores.tasks[name].tuned.value for one in results if name in one.scores.tasks]
        if task.majority is not None and fmean(told) <= task.majority.value:
            found.append(name)
    if first.majority is not None and fmean(one.scores.tuned.value for one in results) <= first.majority:
        found.append("mean")
    return found


def _view(seed: int, mean: Mean, tasks: Mapping[str, TaskScores], pick: Callable[[str, ScoringScores], OnTask]) -> View:
    also: dict[str, dict[str, OnTask]] = defaultdict(dict)
    for task, scores in tasks.items():
        for name, one in scores.also.items():
            also[name][task] = pick(name, one)
    return View(seed, mean, {task: pick(one.scoring, one) for task, one in tasks.items()}, also)


def _figures(runs: Sequence[tuple[int, Mapping[str, OnTask]]]) -> dict[str, TaskFigure]:
    common = set.intersection(*(set(tasks) for _, tasks in runs))
    return {task: _figure([(seed, tasks[task]) for seed, tasks in runs]) for task in sorted(common)}


def _figure(runs: Sequence[tuple[int, OnTask]]) -> TaskFigure:
    first = runs[0][1]
    gains = [(seed, estimate(one.gain)) for seed, one in runs if one.gain is not None]
    unparsable: dict[int, list[int]] = defaultdict(list)
    for seed, one in runs:
        unparsable[seed].append(one.score.unparsable)
    return TaskFigure(
        scoring=first.scoring,
        items=first.score.items,
        score=over_seeds((seed, estimate(one.score)) for seed, one in runs),
        gain=over_seeds(gains) if len(gains) == len(runs) else None,
        unparsable=fmean(fmean(found) for found in unparsable.values()),
    )


def _average(figures: Sequence[Estimate]) -> Estimate:
    return Estimate(
        value=fmean(one.value for one in figures),
        interval=Interval(
            low=fmean(one.interval.low for one in figures), high=fmean(one.interval.high for one in figures)
        ),
    )


def _plain_mean(figures: Sequence[Estimate]) -> Estimate:
    mean = mover_mean([Bounded(one.value, one.interval.low, one.interval.high) for one in figures], (0.0, 1.0))
    return Estimate(value=mean.value, interval=Interval(low=mean.low, high=mean.high))
