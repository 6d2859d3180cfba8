"""Scorings that have what they need, and nothing that none of them uses."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ftbench import codes
from ftbench.spec import words
from ftbench.spec.model import ChoiceTask, CodeTask, Generation, Spec
from ftbench.spec.paths import Path, show
from ftbench.spec.problems import Problem

USERS: dict[str, tuple[str, ...]] = {
    "generation": ("generated", "flowertune"),
    "extraction": ("generated",),
    "flowertune": ("flowertune",),
}
"""Field of a choice task → the scorings that use it."""
LETTERS = 26
"""Most options that have a letter each."""
FIRST_LETTERS = 5
"""Options that the incumbent's rule for letters knows: a to e."""
SENTIMENTS = ("negative", "neutral", "positive")
"""The options of the incumbent's rule for sentiment."""


def scoring(spec: Spec) -> Iterator[Problem]:
    """Every task."""
    for number, task in enumerate(spec.evaluation.tasks):
        try:
            at: Path = ("evaluation", "tasks", number)
            if isinstance(task, ChoiceTask):
                yield from _choice(task, at)
            elif isinstance(task, CodeTask):
                yield from _code(task, at)
        except AttributeError:  # a field of this task is absent; the next task is looked at all the same
            continue


def _choice(task: ChoiceTask, at: Path) -> Iterator[Problem]:
    yield from _once(task.scoring, (*at, "scoring"))
    for name, users in USERS.items():
        value, asking = getattr(task, name), [scoring for scoring in users if scoring in task.scoring]
        if asking and value is None:
            verb = "needs" if len(asking) == 1 else "need"
            message = f"`{show((*at, 'scoring'))}`: {words.listed(asking, 'and')} {verb} `{name}`"
            yield Problem(codes.MISSING_PARAMETER, (*at, "scoring"), message)
        elif not asking and value is not None:
            message = f"`{show((*at, name))}` has no effect: no scoring of the task uses it"
            hint = f"leave it out, or add the scoring {words.listed(users)}"
            yield Problem(codes.NO_EFFECT, (*at, name), message, hint)
    if task.generation:
        yield from _stops(task.generation, at)
    yield from _letters(task, at)


def _letters(task: ChoiceTask, at: Path) -> Iterator[Problem]:
    if task.extraction == "option-letter" and len(task.options) > LETTERS:
        message = f"`option-letter` tells {LETTERS} options apart, and the task has {len(task.options)}"
        yield Problem(codes.CONTRADICTION, (*at, "extraction"), message)
    if task.flowertune == "first-letter" and len(task.options) > FIRST_LETTERS:
        message = f"`first-letter` knows the letters a to e, and the task has {len(task.options)} options"
        yield Problem(codes.CONTRADICTION, (*at, "flowertune"), message)
    if task.flowertune == "sentiment-substring":
        named = [option.strip().lower() for option in task.options]
        if sorted(named) != sorted(SENTIMENTS):
            message = "`sentiment-substring` needs the options negative, neutral and positive"
            yield Problem(codes.CONTRADICTION, (*at, "flowertune"), message, f"they are {', '.join(named)}")


def _code(task: CodeTask, at: Path) -> Iterator[Problem]:
    if not task.scoring:
        yield Problem(codes.OUT_OF_LIMITS, (*at, "scoring"), f"`{show((*at, 'scoring'))}` must not be empty")
    yield from _once(task.scoring, (*at, "scoring"))
    yield from _stops(task.generation, at)
    for number, stop in enumerate(task.generation.stop):
        if task.extraction == "fenced" and "```" in stop:
            message = f"the stop string {stop!r} would cut the fence that `extraction: fenced` looks for"
            yield Problem(codes.CONTRADICTION, (*at, "generation", "stop", number), message, "leave it out")
    packages, where = task.sandbox.packages if task.sandbox else [], (*at, "sandbox", "packages")
    yield from _once(packages, where)
    if packages and task.language != "python":
        message = f"`{show(where)}` has no effect: the task's programs are in {task.language}"
        yield Problem(codes.NO_EFFECT, where, message, "packages are Python's; leave them out")


def _once(names: Sequence[str], at: Path) -> Iterator[Problem]:
    for number, name in enumerate(names):
        if name in names[:number]:
            yield Problem(codes.DUPLICATE, (*at, number), f"`{name}` stands twice in `{show(at)}`", "leave one out")


def _stops(generation: Generation, at: Path) -> Iterator[Problem]:
    yield from _once(generation.stop, (*at, "generation", "stop"))
