"""The ledger has every round of the plan, once and in order."""

from __future__ import annotations

from ftbench.verify.check import Check, Failure, judge
from ftbench.verify.context import Context


def run(context: Context) -> str | Failure:
    """1 … R, and R in its last line; what the result says is `cost-told`'s affair."""
    due = context.in_force.federation.rounds
    numbers = [body.round for body in context.rounds]
    problems = []
    if numbers != list(range(1, due + 1)):
        problems.append(f"the ledger has rounds {_short(numbers)}; due are 1 to {due}")
    if context.finished.rounds != due:
        problems.append(f"the ledger ends after {context.finished.rounds} rounds, due are {due}")
    return judge(problems, f"rounds 1 to {due}, each once")


def _short(numbers: list[int]) -> str:
    return ", ".join(map(str, numbers[:20])) + ("…" if len(numbers) > 20 else "")


CHECK = Check("rounds-complete", "CONFORMS", "FTB638", "the ledger has every round of the plan, once", run)
