"""The adapter that is scored within each budget is of the last round that fits into it, by the ledger's bytes."""

from __future__ import annotations

from ftbench.result.budgets import measure_within
from ftbench.spec.budgets import plain
from ftbench.verify.check import Check, Failure, judge, plural
from ftbench.verify.context import Context


def run(context: Context) -> str | Failure:
    """Each budget of the spec once, with the round, bytes and adapter that the ledger gives."""
    due = measure_within(context.spec.evaluation.quality_within, context.rounds, context.started.adapter)
    told = {one.communication_mib: one for one in context.result.within}
    problems = []
    if [one.communication_mib for one in context.result.within] != [one.communication_mib for one in due]:
        problems.append(f"{plural(len(told), 'budget')} told, the spec has {len(due)}")
    for one in due:
        found = told.get(one.communication_mib)
        if found is not None and found != one:
            problems.append(
                f"within {plain(one.communication_mib)} MiB: round {found.round} with {found.bytes} bytes and adapter "
                f"{found.adapter[:12]} told, by the ledger it is round {one.round}, {one.bytes}, {one.adapter[:12]}"
            )
    return judge(problems, f"{plural(len(due), 'budget')}, each with its last round")


CHECK = Check("budgets-scored", "CONFORMS", "FTB671", "each budget's adapter is of the last round within it", run)
