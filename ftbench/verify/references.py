"""Which adapters of a run the fault-free reference may have too, to the bit."""

from __future__ import annotations

from ftbench.result.references import FAULT_FREE
from ftbench.spec.implied import fault_plan
from ftbench.spec.strategies import STRATEGIES
from ftbench.verify.context import Context


def fault_free_may_be(context: Context) -> set[str]:
    """Digests of the adapters after the rounds before the first that faults have changed.

    Without faults these rounds are the same ones, and a validation cut may choose any of them.
    """
    spec = context.in_force
    case = fault_plan.Case(spec.faults, context.entry.seed, spec.federation.clients, spec.training.local_steps)
    attackers, chosen = set(fault_plan.attackers(case)), STRATEGIES[spec.strategy.kind].chooses
    found: set[str] = set()
    for body in context.rounds:
        attacked = any(reply.partition in attackers for reply in body.replies)
        if not chosen and (attacked or any(one.planned for one in body.excluded)):
            break
        found.add(body.adapter)
    return found


def same_as_the_run(context: Context) -> bool:
    """Whether the fault-free reference names one of these: then it has that adapter's answers."""
    return context.result.references.get(FAULT_FREE) in fault_free_may_be(context)
