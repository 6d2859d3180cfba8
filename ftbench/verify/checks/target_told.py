"""What reaching the spec's target of validation loss cost is what the ledger says."""

from __future__ import annotations

from ftbench.result.budgets import to_target
from ftbench.verify import limits
from ftbench.verify.check import Check, Failure, judge
from ftbench.verify.checks.cost_told import MAX_SECONDS
from ftbench.verify.context import Context

FIELDS = ("validation_loss", "round", "bytes", "simulated_seconds")


def run(context: Context) -> str | Failure:
    """Target, round, bytes and simulated time again from the ledger. Wall time is reported only."""
    due, told = to_target(context.spec.evaluation.cost_to_target, context.rounds), context.result.cost_to_target
    if due is None or told is None:
        missing = due is not None and told is None
        problems = ["the spec sets a target, and the result does not say what it cost"] if missing else []
        problems += ["the spec sets no target, and the result names one"] if due is None and told is not None else []
        return judge(problems, "the spec sets no target")
    problems = [
        f"{name.replace('_', ' ')}: {getattr(told, name)} told, {getattr(due, name)} by the ledger"
        for name in FIELDS
        if getattr(told, name) != getattr(due, name)
    ]
    if told.seconds is not None and (due.round is None or told.seconds > MAX_SECONDS):
        problems.append(f"it took {told.seconds} s by its own account, which cannot be")
    context.notes.append(limits.VALIDATION)
    reached = "not reached" if due.round is None else f"reached in round {due.round}, after {due.bytes} bytes"
    return judge(problems, f"validation loss {due.validation_loss:g} {reached}")


CHECK = Check("target-told", "CONFORMS", "FTB670", "what the target cost is what the ledger says", run)
