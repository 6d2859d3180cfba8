"""The hard limits were kept, by what the ledger tells: on communication before every round, and on parameters."""

from __future__ import annotations

from ftbench.verify import open_division, traffic
from ftbench.verify.check import Check, Failure, judge
from ftbench.verify.context import Context
from ftbench.verify.formulas import MIB


def run(context: Context) -> str | Failure:
    """No round may have begun whose worst case, as coded both ways, would exceed what was left."""
    budget = context.in_force.budget
    limit, spent, problems = budget.communication_mib * MIB, 0, []
    own = context.brings("strategy")
    if own:
        open_division.skipped(
            context, "That no round could have taken more than was left, and how many parameters are trained"
        )
    for body, due in zip(context.rounds, traffic.due(context), strict=True):
        worst = spent + (0 if own else due.worst)
        spent += body.bytes_down + body.bytes_up
        if max(worst, spent) > limit:
            problems.append(f"round {body.round} could take {max(worst, spent)} bytes, the limit is {limit:.0f}")
    trained = context.started.trainable_parameters  # that it is the adapter's is `adapter-shape`'s to say
    if trained > budget.trainable_parameters:
        problems.append(f"{trained} trainable parameters, the limit is {budget.trainable_parameters}")
    worst_case = "as told" if own else "no round's worst case beyond them"
    parameters = f"{trained} of {budget.trainable_parameters} trainable parameters"
    return judge(problems, f"{spent} of {limit:.0f} bytes, {worst_case}; {parameters}")


CHECK = Check("budget-kept", "CONFORMS", "FTB645", "the bytes and parameters told are within the hard limits", run)
