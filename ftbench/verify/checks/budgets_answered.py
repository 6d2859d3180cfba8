"""Where two names stand for one adapter, they have one set of answers."""

from __future__ import annotations

from ftbench.verify import budgets
from ftbench.verify.check import Check, Failure, judge, plural
from ftbench.verify.context import Context


def run(context: Context) -> str | Failure:
    """A budget that no round fits into has the untuned model's answers, one that reaches the scored round has the
    tuned one's, and two with the same round have the same."""
    alike = budgets.alike(context)
    problems = []
    for name, other in alike.items():
        for task, samples in context.samples.items():
            answers = [{"untuned": one.untuned, "tuned": one.tuned, **one.references} for one in samples]
            differ = sum(one.get(name) != one.get(other) for one in answers)
            if differ:
                problems.append(f"{task}: {name} is the adapter of {other}, and {plural(differ, 'answer')} differ")
    return judge(problems, f"{plural(len(alike), 'budget')} with the answers of another name")


CHECK = Check("budgets-answered", "RESCORED", "FTB672", "one adapter has one set of answers, whatever its name", run)
