"""The ledger's events come in the order of a whole run."""

from __future__ import annotations

from ftbench.result import ledger
from ftbench.verify.check import Check, Failure, judge, plural
from ftbench.verify.context import Context


def run(context: Context) -> str | Failure:
    """started, (round | resumed | stopped)*, finished."""
    resumed = sum(line.body.event == "resumed" for line in context.lines)
    evidence = f"started, {plural(len(context.rounds), 'round')}, resumed {plural(resumed, 'time')}, finished"
    return judge(ledger.order_problems(context.lines), evidence)


CHECK = Check("ledger-order", "CONFORMS", "FTB636", "the ledger's events come in the order of a whole run", run)
