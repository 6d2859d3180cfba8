"""The run began under the conditions of plan and entry."""

from __future__ import annotations

from ftbench.verify.check import Check, Failure, judge
from ftbench.verify.context import Context


def run(context: Context) -> str | Failure:
    """Compare the ledger's first event with the plan and the knobs in force."""
    started, federation = context.started, context.in_force.federation
    pairs: dict[str, tuple[object, object]] = {
        "spec hash": (started.spec_hash, context.plan.spec_hash),
        "number of clients": (started.clients, federation.clients),
        "number of rounds": (started.rounds, federation.rounds),
        "base model": (started.base_model, context.result.base_model),
    }
    problems = [f"the {what} is {told}, due is {due}" for what, (told, due) in pairs.items() if told != due]
    return judge(problems, f"{federation.clients} clients, {federation.rounds} rounds, seed {started.seed}")


CHECK = Check("run-conditions", "CONFORMS", "FTB637", "the run began under the conditions of plan and entry", run)
