"""The adapter in the bundle is the one that ledger and result name."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ftbench.result import adapter
from ftbench.spec.strategies import STRATEGIES
from ftbench.verify import adapters
from ftbench.verify.check import Check, Failure, judge
from ftbench.verify.context import Context

FROZEN = "That A is the one that the run's seed draws: it is the ledger's own from before round 1."


def run(context: Context) -> str | Failure:
    """Digest its tensors with the adapter block in force; compare with the round scored, the last line, the result."""
    config = context.block("adapter")
    digest = adapter.tensors_digest(context.tensors, config)
    named = {"result": context.result.adapter, "ledger's last line": context.finished.adapter}
    number = context.finished.round
    named |= {f"ledger's round {number}": body.adapter for body in context.rounds if body.round == number}
    problems = [
        f"the {where} names {told[:12]}, the file is {digest[:12]}" for where, told in named.items() if told != digest
    ]
    evidence = f"adapter {digest[:12]}"
    strategy = STRATEGIES[context.in_force.strategy.kind]
    if strategy.frozen:
        problems += _drawn(context, config)
        evidence += ", its A that of the adapter before round 1"
        context.notes.append(FROZEN)
    elif strategy.combines == "stack":
        problems += _stacked(context, config)
        evidence += f", and in it those after every round up to {number}"
    return judge(problems, evidence)


def _drawn(context: Context, config: dict[str, Any]) -> Iterator[str]:
    """FFA-LoRA: with B zero it is the adapter before round 1 again, which the ledger named when the run began."""
    digest = adapter.tensors_digest(adapters.zeroed(context.tensors), config)
    if digest != context.started.adapter:
        yield (
            f"A has moved: with B zero the file is {digest[:12]}, the adapter before round 1 "
            f"{context.started.adapter[:12]}"
        )


def _stacked(context: Context, config: dict[str, Any]) -> Iterator[str]:
    """FLoRA: nothing that is stacked changes, so the adapter after an earlier round is the beginning of this one."""
    told = {0: context.started.adapter} | {body.round: body.adapter for body in context.rounds}
    for number, name in told.items():
        # Rounds beyond the plan's are the affair of `rounds-complete`; each one is a walk through the file.
        if number >= min(context.finished.round, context.in_force.federation.rounds):
            continue
        try:
            part = adapters.cut(context.tensors, adapters.grown(context.in_force.adapter, context.rounds, number))
        except ValueError as error:
            yield f"round {number}: {error}"
            continue
        digest = adapter.tensors_digest(part, config)
        if digest != name:
            yield f"round {number}: the stack was {name[:12]}, the file begins with {digest[:12]}"


CHECK = Check("adapter-digest", "CONFORMS", "FTB646", "the adapter is the one that ledger and result name", run)
