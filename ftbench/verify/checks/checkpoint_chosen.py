"""The adapter that is scored is of the round that the spec's rule chooses, never one picked on the test set."""

from __future__ import annotations

from ftbench.verify import limits
from ftbench.verify.check import Check, Failure, judge
from ftbench.verify.context import Context


def run(context: Context) -> str | Failure:
    """`last`: the last round. `best-validation`: the lowest loss on the validation cut, the earliest of equals."""
    rounds, told, rule = context.rounds, context.finished.round, context.in_force.evaluation.checkpoint
    problems = []
    if context.result.checkpoint_round != told:
        problems.append(f"the result names round {context.result.checkpoint_round}, the ledger ends with {told}")
    if not rounds:
        return Failure("the ledger has no round")
    if rule == "last":
        due, evidence = rounds[-1].round, f"round {rounds[-1].round}, the last"
    else:
        losses = {body.round: body.validation_loss for body in rounds if body.validation_loss is not None}
        problems += [f"round {body.round} has no validation loss" for body in rounds if body.validation_loss is None]
        if not losses:
            return judge(problems, "")
        due = min(losses, key=lambda number: (losses[number], number))
        evidence = f"round {due} of {len(rounds)}, validation loss {losses[due]:.4f}"
        context.notes.append(limits.VALIDATION)
    if told != due:
        problems.append(f"round {told} is scored, the rule `{rule}` chooses round {due}")
    return judge(problems, evidence)


CHECK = Check("checkpoint-chosen", "CONFORMS", "FTB652", "the round that is scored is the one the rule chooses", run)
