"""Things that may stand once in a list: task names, seeds, adapter targets; and test data that is training data."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ftbench import codes
from ftbench.spec.model import FileSource, Spec
from ftbench.spec.paths import Path, show
from ftbench.spec.problems import Problem


def tasks(spec: Spec) -> Iterator[Problem]:
    """Task names are unique."""
    names = [getattr(task, "name", "") for task in spec.evaluation.tasks]
    for number, name in enumerate(names):
        if name and name in names[:number]:
            message = f"the task name `{name}` stands twice"
            yield Problem(codes.DUPLICATE, ("evaluation", "tasks", number, "name"), message, "give each its own")


def seeds(spec: Spec) -> Iterator[Problem]:
    """Seeds of runs are unique: two runs with one seed are one run."""
    yield from _unique(spec.seeds.runs, ("seeds", "runs"))


def targets(spec: Spec) -> Iterator[Problem]:
    """Adapter targets are unique and not empty."""
    named = spec.adapter.targets
    if isinstance(named, list):
        yield from _unique(named, ("adapter", "targets"))
        for number, name in enumerate(named):
            if not name.strip():
                yield Problem(codes.OUT_OF_LIMITS, ("adapter", "targets", number), "a module's name is empty")


def separate(spec: Spec) -> Iterator[Problem]:
    """No task is scored on the very rows that were trained on."""
    train = spec.data.source
    if isinstance(train, FileSource) and train.nameless:
        return  # a plan's: no names to tell two by
    for number, task in enumerate(spec.evaluation.tasks):
        if getattr(task, "source", None) == train:
            path = ("evaluation", "tasks", number, "source")
            message = "the task is scored on the rows that are trained on"
            yield Problem(codes.CONTRADICTION, path, message, "name another split")


def _unique(values: Sequence[object], at: Path) -> Iterator[Problem]:
    for number, value in enumerate(values):
        if value in values[:number]:
            yield Problem(codes.DUPLICATE, (*at, number), f"`{value}` stands twice in `{show(at)}`", "leave one out")
