"""The ledger begins with the conditions of plan and result."""

from __future__ import annotations

from ftbench.verify.check import Check, Failure, judge
from ftbench.verify.context import Context


def run(context: Context) -> str | Failure:
    """Compare its first event with the plan, the knobs in force and the result; the seed is `entry-digest`'s affair."""
    started, federation = context.started, context.in_force.federation
    pairs: dict[str, tuple[object, object]] = {
        "spec hash": (started.spec_hash, context.plan.spec_hash),
        "number of clients": (started.clients, federation.clients),
        "number of rounds": (started.rounds, federation.rounds),
        "base model": (started.base_model, context.result.base_model),
    }
    problems = [f"the {what} is {told}, due is {due}" for what, (told, due) in pairs.items() if told != due]
    return judge(problems, f"{federation.clients} clients, {federation.rounds} rounds, spec hash and base model as due")


CHECK = Check("run-conditions", "CONFORMS", "FTB637", "the ledger begins with the conditions of plan and result", run)
