"""From verified bundles to rows: runs of one entry with different seeds become one."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from math import fsum
from statistics import fmean, stdev
from typing import Any, Literal

from ftbench.board import budgets, figures, twolevel
from ftbench.board.compare import METHOD, Contender, mean_marks, standard_errors
from ftbench.board.model import BundleRef, Estimate, Rank, Row
from ftbench.board.submission import Clusters, Marks, Submission
from ftbench.result.documents import LEVELS, Level, Result
from ftbench.result.exposure import exposed
from ftbench.result.exposure_documents import Exposed, Exposure
from ftbench.spec import labels

GENERIC = {"custom", "default"}
"""Names that an entry without a file gets, or got: they tell nothing."""
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


def row(
    group: Sequence[Submission],
    spec_seeds: Sequence[int],
    table: Sequence[Submission] = (),
    *,
    confidence: float = 0.95,
    clusters: Clusters | None = None,
) -> Row:
    """One entry's row, not ranked yet. `spec_seeds`: the seeds that the spec asks for; `table`: all its bundles."""
    first = group[0]
    assert first.entry is not None
    seeds = sorted({one.result.seed for one in group})
    results = [one.result for one in group]
    per_seed = _over_seeds(group, lambda one: one.result.scores.tuned.value)
    views = [figures.tuned(one.seed, one.scores.tuned, one.scores.tasks) for one in results]
    score = figures.score(views)
    per_marks = _seed_marks(group)
    wide = twolevel.interval(per_seed, per_marks, confidence, clusters)
    errors = standard_errors(mean_marks(per_marks), clusters)
    return Row(
        rank=UNRANKED,
        claim=claim(len(seeds)),
        entry=first.key,
        names=sorted({one.entry.metadata.name for one in group if one.entry is not None}),
        model=first.entry.model,
        knobs=dict(sorted(first.entry.knobs.items())),
        level=_level(group),
        score=score if wide is None else Estimate(value=score.value, interval=wide),
        standard_error=None if errors is None else errors[0],
        clustered_error=None if errors is None else errors[1],
        gain=figures.over_seeds((one.seed, figures.estimate(one.scores.difference)) for one in results),
        spread=stdev(per_seed) if len(per_seed) > 1 else None,
        tasks=figures.on_tasks(views),
        also=figures.by_others(views),
        seeds=seeds,
        missing_seeds=sorted(set(spec_seeds) - set(seeds)),
        bytes_down=round(fmean(result.cost.bytes_down for result in results)),
        bytes_up=round(fmean(result.cost.bytes_up for result in results)),
        trainable_parameters=max(result.cost.trainable_parameters for result in results),
        train_seconds=_mean_or_none(result.cost.train_seconds for result in results),
        peak_memory_bytes=_most(result.cost.peak_memory_bytes for result in results),
        peak_device_bytes=_most(result.cost.peak_device_bytes for result in results),
        sandbox=_sandbox(group),
        exclusions=sum(result.exclusions for result in results),
        planned_exclusions=sum(result.planned_exclusions for result in results),
        epsilon=max((one.privacy.epsilon for one in results if one.privacy is not None), default=None),
        robustness=_robustness(results),
        exposure=_exposure(results),
        target=budgets.target(results),
        within=budgets.reached_within(results),
        bundles=[_reference(one) for one in group],
        constant=(constant := figures.constant(results)),
        notes=[*_flat(constant), *_notes(group), *_copies(group, table or group)],
    )


def _level(group: Sequence[Submission]) -> Level:
    """The lowest of its runs; several that ended at the same adapter, answers and score are one: the best speaks."""
    runs: dict[tuple[int, str, str | None, float], list[Level]] = defaultdict(list)
    for one in group:
        told = one.result
        runs[told.seed, told.adapter, one.answers or one.verdict.bundle, told.scores.tuned.value].append(
            one.verdict.level
        )
    return min((max(levels, key=LEVELS.index) for levels in runs.values()), key=LEVELS.index)


def _flat(constant: Sequence[str]) -> list[str]:
    tasks = sum(name != "mean" for name in constant)
    return [f"not above the best constant answer on {tasks} task{'s' * (tasks != 1)}"] if tasks else []


def _robustness(results: Sequence[Result]) -> Estimate | None:
    known = [(one.seed, one.scores.robustness) for one in results]
    told = [(seed, figures.estimate(change)) for seed, change in known if change is not None]
    return figures.over_seeds(told) if told else None


def _exposure(results: Sequence[Result]) -> Exposure | None:
    """Plain means over the runs, and the canary that any of them exposes most."""
    told = [one.scores.exposure for one in results if one.scores.exposure is not None]
    if not told:
        return None

    def over(found: Sequence[Exposed]) -> Exposed:
        return Exposed(mean=fmean(one.mean for one in found), most=max(one.most for one in found))

    both = {"untuned": over([one.untuned for one in told]), "tuned": over([one.tuned for one in told])}
    return told[0].model_copy(update=both)


def contender(group: Sequence[Submission], finished: Row) -> Contender:
    """What the comparison with other rows needs. Runs of the same seed count once."""
    per_seed = _over_seeds(group, lambda one: one.result.scores.tuned.value)
    marks = _seed_marks(group)
    return Contender(finished.score.value, finished.score.interval, mean_marks(marks), per_seed, marks)


def claim(seeds: int) -> Literal["adapter", "adapters", "method"]:
    """What a row of so many seeds speaks of."""
    return "method" if seeds >= METHOD else "adapters" if seeds > 1 else "adapter"


def choices(group: Sequence[Submission]) -> dict[str, Any]:
    """What an entry chose, the model too, as `ftbench.spec.labels` takes it."""
    entry = group[0].entry
    assert entry is not None
    return {labels.MODEL: f"{entry.model.name}@{entry.model.revision[:12]}", **entry.knobs}


def named(rows: Sequence[Row], chosen: Sequence[Mapping[str, Any]]) -> list[str]:
    """A label for each row: its own name where it gave itself one, then the choices in which rows differ."""
    differing = labels.labels(chosen)
    made = [_label(row, text, one) for row, text, one in zip(rows, differing, chosen, strict=True)]
    return [
        label if made.count(label) == 1 else f"{label} {row.entry[:8]}" for label, row in zip(made, rows, strict=True)
    ]


def _label(row: Row, differing: str, chosen: Mapping[str, Any]) -> str:
    own = ", ".join(name for name in row.names if name not in GENERIC and not (differing and _made(name, chosen)))
    return f"{own}: {differing}" if own and differing else own or differing or ", ".join(row.names)


def _made(name: str, chosen: Mapping[str, Any]) -> bool:
    """Whether a name was made of the choices, as `--set` and `ftbench sweep` do: it says no more than they."""
    words = sorted((labels.word(path, value) for path, value in chosen.items() if value is not None), key=len)
    rest, digits = re.subn(f"-[0-9a-f]{{{labels.DIGITS}}}$", "", name)
    for word in reversed(words):
        rest = re.sub(rf"(^|-){re.escape(word)}(?=-|$)", "", rest, count=1)
    rest = rest.strip("-")
    return not rest or (digits > 0 and any(word.startswith(rest) for word in words))


def _seed_marks(group: Sequence[Submission]) -> list[Marks]:
    """Marks of each seed. Runs of the same seed count once, by their mean."""
    return [mean_marks([one.marks for one in runs]) for runs in _by_seed(group).values()]


def _notes(group: Sequence[Submission]) -> list[str]:
    notes = []
    if _sandbox(group) == "none":
        notes.append("programs ran without a sandbox (sandbox: none)")
    if any(one.result.unpinned for one in group):
        notes.append("other package versions than the plan's")
    if excluded := sum(one.result.exclusions for one in group):
        notes.append(f"{excluded} client replies left out, unplanned")
    spent = [one.result.privacy for one in group if one.result.privacy is not None]
    if spent:
        most = max(spent, key=lambda one: one.epsilon)
        notes.append(f"{most.kind} privacy: epsilon {most.epsilon:.3g} at delta {most.delta:g}")
    if (exposure := _exposure([one.result for one in group])) is not None:
        notes.append(f"canaries: {exposed(exposure)}")
    if not all(one.result.bit_reproducible for one in group):
        notes.append("not bit-reproducible")
    for seed, runs in _by_seed(group).items():
        if len({run.result.adapter for run in runs}) > 1:
            notes.append(f"{len(runs)} runs of seed {seed} end at different adapters; their mean stands here")
    notes += sorted({one.taken_back for one in group if one.taken_back})
    return [*notes, *sorted({one.decided for one in group if one.decided})]


def _copies(group: Sequence[Submission], table: Sequence[Submission]) -> Iterator[str]:
    """Bundles of another entry or seed whose answers are the same: which is the copy nobody can tell from them."""
    for one in group:
        same = [
            f"entry {other.key[:8]} seed {other.result.seed}"
            for other in table
            if one.answers is not None
            and other.answers == one.answers
            and (other.key, other.result.seed) != (one.key, one.result.seed)
        ]
        if same:
            yield (
                f"seed {one.result.seed} and {', '.join(sorted(same)[:3])} have the same answers to the last digit: "
                "one run, told more than once"
            )


def _by_seed(group: Sequence[Submission]) -> dict[int, list[Submission]]:
    runs: dict[int, list[Submission]] = defaultdict(list)
    for one in group:
        runs[one.result.seed].append(one)
    return dict(sorted(runs.items()))


def _over_seeds(group: Sequence[Submission], figure: Callable[[Submission], float]) -> list[float]:
    """One figure a seed: several runs of the same seed count once, by their mean."""
    return [fmean(figure(run) for run in runs) for runs in _by_seed(group).values()]


def _sandbox(group: Sequence[Submission]) -> Literal["bubblewrap", "none"] | None:
    """The weakest over all runs."""
    found = {one.result.sandbox for one in group}
    if "none" in found:
        return "none"
    return "bubblewrap" if "bubblewrap" in found else None


def _most(costs: Iterable[int | None]) -> int | None:
    return max((cost for cost in costs if cost is not None), default=None)


def _mean_or_none(costs: Iterable[float | None]) -> float | None:
    known = [cost for cost in costs if cost is not None]
    # Each share by itself: below CONFORMS a time may be so large that a sum overflows.
    return fsum(one / len(known) for one in known) if known else None


def _reference(one: Submission) -> BundleRef:
    assert one.verdict.bundle is not None
    return BundleRef(
        path=one.path,
        bundle=one.verdict.bundle,
        seed=one.result.seed,
        level=one.verdict.level,
        score=one.result.scores.tuned.value,
        checkpoint_round=one.result.checkpoint_round,
    )
