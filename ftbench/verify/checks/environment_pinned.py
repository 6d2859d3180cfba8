"""The packages that move a score have the plan's versions, by the submitter's own account."""

from __future__ import annotations

from ftbench.verify.check import Check, Failure, judge
from ftbench.verify.context import Context


def run(context: Context) -> str | Failure:
    """Local build tags (`+cpu`, `+cu126`) do not count."""
    told, due = context.environment.packages, context.plan.stack
    problems = [
        f"{name} is {told.get(name, 'not there')}, the plan has {due.get(name, 'none')}"
        for name in sorted({*told, *due})
        if name not in told or told[name].partition("+")[0] != due.get(name)
    ]
    if context.result.unpinned:
        problems.append("the result says `unpinned`: other package versions were let through")
    return judge(problems, f"{len(due)} packages as in the plan, by the submitter's account")


CHECK = Check("environment-pinned", "CONFORMS", "FTB650", "the packages reported are the plan's", run)
