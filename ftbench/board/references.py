"""What tuned models are compared with, as rows beside the ranking: untuned, local-only, centralised, without faults."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from statistics import fmean
from typing import Literal

from ftbench.board import figures
from ftbench.board.compare import Contender, mean_marks
from ftbench.board.model import Estimate, Reference, TaskFigure
from ftbench.board.submission import Marks, Submission
from ftbench.result.documents import Interval, Result
from ftbench.result.references import LOCAL


def references(submissions: Sequence[Submission], groups: Sequence[Sequence[Submission]]) -> list[Reference]:
    """The rows of one table: one for each base model before tuning, then those trained with each entry's knobs."""
    trained = [
        row
        for group in groups
        for row in (_local(group), _trained(group, "centralised"), _trained(group, "fault-free"))
        if row is not None
    ]
    return [*_untuned(submissions), *trained, *_majority(submissions)]


def _majority(submissions: Sequence[Submission]) -> list[Reference]:
    """The best constant answers: the same in every bundle that tells them, known exactly on these items."""
    known = [one.result.scores for one in submissions if one.result.scores.majority is not None]
    if not known or known[0].majority is None:
        return []
    tasks = {
        name: TaskFigure(
            scoring="constant", items=one.majority.items, score=_sure(one.majority.value), gain=None, unparsable=0
        )
        for name, one in sorted(known[0].tasks.items())
        if one.majority is not None
    }
    return [
        Reference(
            kind="majority",
            model=None,
            entry=None,
            names=[],
            score=_sure(known[0].majority),
            spread=None,
            least=None,
            most=None,
            tasks=tasks,
            also={},
            models=1,
            bundles=len(known),
        )
    ]


def _sure(value: float) -> Estimate:
    return Estimate(value=value, interval=Interval(low=value, high=value))


def contender(reference: Reference, submissions: Sequence[Submission]) -> Contender:
    """What the comparison with entries needs: its marks, mean over the models and bundles behind it."""
    marks: list[Marks] = []
    for one in submissions:
        if reference.model is None:
            continue  # a constant answer: compared by its score, which is known exactly
        if reference.kind == "untuned":
            if (one.result.model.name, one.result.model.revision) == (reference.model.name, reference.model.revision):
                marks += [one.beside.get("untuned", {})]
        elif one.key == reference.entry:
            names = _clients(one.result) if reference.kind == "local" else [reference.kind]
            marks += [one.beside.get(name, {}) for name in names if name in one.result.scores.references]
    return Contender(reference.score.value, reference.score.interval, mean_marks(marks))


def _untuned(submissions: Sequence[Submission]) -> list[Reference]:
    models: dict[tuple[str, str], list[Result]] = defaultdict(list)
    for one in submissions:
        models[one.result.model.name, one.result.model.revision].append(one.result)
    found = []
    for _, results in sorted(models.items()):
        # The seed does not touch an untuned model: every bundle is one more measurement of the same.
        views = [figures.untuned(0, one.scores.untuned, one.scores.tasks) for one in results]
        found.append(
            Reference(
                kind="untuned",
                model=results[0].model,
                entry=None,
                names=[],
                score=figures.score(views),
                spread=None,
                least=None,
                most=None,
                tasks=figures.on_tasks(views),
                also=figures.by_others(views),
                models=1,
                bundles=len(results),
            )
        )
    return found


def _trained(group: Sequence[Submission], name: Literal["centralised", "fault-free"]) -> Reference | None:
    known = [one for one in group if name in one.result.scores.references]
    if not known:
        return None
    views = [_view(one.result, name) for one in known]
    return Reference(
        kind=name,
        model=known[0].result.model,
        entry=known[0].key,
        names=_names(known),
        score=figures.score(views),
        spread=None,
        least=None,
        most=None,
        tasks=figures.on_tasks(views),
        also={},
        models=1,
        bundles=len(known),
    )


def _local(group: Sequence[Submission]) -> Reference | None:
    known = [one for one in group if one.result.scores.local is not None and _clients(one.result)]
    if not known:
        return None
    views = [_view(one.result, name) for one in known for name in _clients(one.result)]
    spreads = [spread for one in known if (spread := one.result.scores.local) is not None]
    return Reference(
        kind="local",
        model=known[0].result.model,
        entry=known[0].key,
        names=_names(known),
        score=figures.score(views),
        spread=fmean(spread.deviation for spread in spreads),
        least=min(spread.least for spread in spreads),
        most=max(spread.most for spread in spreads),
        tasks=figures.on_tasks(views),
        also={},
        models=max(spread.models for spread in spreads),
        bundles=len(known),
    )


def _view(result: Result, name: str) -> figures.View:
    return figures.reference(result.seed, result.scores.references[name], result.scores.tasks, name)


def _clients(result: Result) -> list[str]:
    return sorted(name for name in result.scores.references if name.startswith(LOCAL))


def _names(group: Sequence[Submission]) -> list[str]:
    return sorted({one.entry.metadata.name for one in group if one.entry is not None})
