"""Which of the names that answers stand under are one adapter."""

from __future__ import annotations

from ftbench.result.budgets import measure_within
from ftbench.spec.budgets import within_name
from ftbench.verify.context import Context


def alike(context: Context) -> dict[str, str]:
    """Name of a budget → the first name of the same adapter: `untuned`, `tuned`, or a smaller budget."""
    rounds = context.rounds
    seen = {context.finished.adapter: "tuned"}
    found = {}
    for one in measure_within(context.spec.evaluation.quality_within, rounds, context.started.adapter):
        name = within_name(one.communication_mib)
        other = "untuned" if one.round == 0 else seen.setdefault(one.adapter, name)
        if other != name:
            found[name] = other
    return found
