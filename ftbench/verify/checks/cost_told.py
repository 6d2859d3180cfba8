"""Bytes, rounds, parameters and exclusions in the result are those of the ledger."""

from __future__ import annotations

from ftbench.result.rows import rows_of
from ftbench.verify.check import Check, Failure, judge
from ftbench.verify.context import Context

MAX_SECONDS = 1e9
"""About thirty years."""


def run(context: Context) -> str | Failure:
    """Times and memory are reported only."""
    cost, rounds = context.result.cost, context.rounds
    pairs = {
        "bytes down": (cost.bytes_down, sum(body.bytes_down for body in rounds)),
        "bytes up": (cost.bytes_up, sum(body.bytes_up for body in rounds)),
        "rounds": (cost.rounds, len(rounds)),
        "trainable parameters": (cost.trainable_parameters, context.started.trainable_parameters),
        "rows held": (cost.rows_held, rows_of(rounds).held),
        "rows used": (cost.rows_used, rows_of(rounds).used),
        "exclusions": (context.result.exclusions, sum(not one.planned for body in rounds for one in body.excluded)),
        "planned exclusions": (
            context.result.planned_exclusions,
            sum(one.planned for body in rounds for one in body.excluded),
        ),
    }
    problems = [f"{what}: {told} told, {due} in the ledger" for what, (told, due) in pairs.items() if told != due]
    times = {"training": cost.train_seconds, "evaluation": cost.evaluate_seconds, "references": cost.references_seconds}
    for what, seconds in times.items():
        if seconds is not None and seconds > MAX_SECONDS:
            problems.append(f"{what} took {seconds} s by its own account, which is beyond belief")
    return judge(problems, ", ".join(f"{due} {what}" for what, (_, due) in pairs.items() if due is not None))


CHECK = Check("cost-told", "CONFORMS", "FTB651", "bytes, rounds, parameters and exclusions told are the ledger's", run)
