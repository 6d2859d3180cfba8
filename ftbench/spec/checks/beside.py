"""`evaluation.also` names tasks that are there, each once, and leaves some that rank."""

from __future__ import annotations

from collections.abc import Iterator

from ftbench import codes
from ftbench.diagnostics import did_you_mean
from ftbench.spec.model import Spec
from ftbench.spec.problems import Problem


def also(spec: Spec) -> Iterator[Problem]:
    """A task that is not there, one that two domains name, and nothing left that ranks."""
    known = {task.name for task in spec.evaluation.tasks}
    seen: set[str] = set()
    for domain, names in (spec.evaluation.also or {}).items():
        for number, name in enumerate(names):
            at = ("evaluation", "also", domain, number)
            if name not in known:
                hint = did_you_mean(name, known) or f"the tasks are {', '.join(sorted(known))}"
                yield Problem(codes.NOT_A_CHOICE, at, f"`evaluation.tasks` has no task `{name}`", hint)
            if name in seen:
                yield Problem(codes.DUPLICATE, at, f"the task `{name}` is named twice", "leave one of the two out")
            seen.add(name)
    if spec.evaluation.also and not spec.evaluation.ranked:
        message = "every task is of another domain, so that none ranks"
        yield Problem(codes.CONTRADICTION, ("evaluation", "also"), message, "leave the own domain's tasks out of it")
