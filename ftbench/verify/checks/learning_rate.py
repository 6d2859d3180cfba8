"""Every round of the ledger tells the learning rate of the schedule."""

from __future__ import annotations

from ftbench.spec.implied import learning_rate
from ftbench.verify import formulas
from ftbench.verify.check import Check, Failure, judge, plural
from ftbench.verify.context import Context


def run(context: Context) -> str | Failure:
    """Recompute it for every round."""
    schedule, rounds = context.in_force.training.schedule, context.in_force.federation.rounds
    problems = []
    for body in context.rounds:
        due = learning_rate.of_round(schedule, body.round, rounds)
        if not formulas.same(body.learning_rate, due):
            problems.append(f"round {body.round} had learning rate {body.learning_rate}, the schedule says {due}")
    return judge(problems, f"{schedule.kind} schedule recomputed for {plural(len(context.rounds), 'round')}")


CHECK = Check("learning-rate", "CONFORMS", "FTB639", "every round tells the learning rate of the schedule", run)
