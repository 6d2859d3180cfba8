"""The result names the benchmark of the lock."""

from __future__ import annotations

from ftbench.verify.check import Check, Failure, judge
from ftbench.verify.context import Context


def run(context: Context) -> str | Failure:
    """Name, version and spec hash of result and plan, and the tasks scored."""
    result, plan = context.result, context.plan
    pairs = {
        "name": (result.name, plan.metadata.name),
        "version": (result.version, plan.metadata.version),
        "spec hash": (result.spec_hash, plan.spec_hash),
    }
    problems = [f"the {what} is {told}, the plan has {due}" for what, (told, due) in pairs.items() if told != due]
    tasks = [task.name for task in context.spec.evaluation.scored]
    if sorted(result.scores.tasks) != sorted(tasks):
        problems.append(f"scores are given for {sorted(result.scores.tasks)}, the tasks are {sorted(tasks)}")
    return judge(problems, f"{result.name} {result.version}, spec hash {plan.spec_hash[:12]}, {', '.join(tasks)}")


CHECK = Check("benchmark-named", "CONFORMS", "FTB631", "the result names this benchmark and its tasks", run)
