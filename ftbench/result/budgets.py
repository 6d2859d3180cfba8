"""What a ledger says of budgets: the round within each, and what reaching a target cost. Runner and verifier share it.

Bytes count as the ledger counts them: adapter arrays of both directions, all clients, summed over committed rounds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from ftbench.result.documents import Round, TargetCost, WithinBudget
from ftbench.spec.budgets import CostToTarget, QualityWithin

MIB = 2**20


def measure_within(block: QualityWithin | None, rounds: Sequence[Round], beginning: str) -> list[WithinBudget]:
    """For each budget the last round up to which no more was sent; round 0 is the `beginning`, the adapter before
    the first round."""
    found = []
    for mib in block.communication_mib if block else ():
        last = WithinBudget(communication_mib=mib, round=0, bytes=0, adapter=beginning)
        for body, spent in _spent(rounds):
            if spent > mib * MIB:
                break
            last = WithinBudget(communication_mib=mib, round=body.round, bytes=spent, adapter=body.adapter)
        found.append(last)
    return found


def to_target(
    block: CostToTarget | None, rounds: Sequence[Round], seconds: Mapping[int, float] | None = None
) -> TargetCost | None:
    """What the run cost up to its first round at the target or below; None where none is asked for.

    `seconds`: round → wall time as measured, over all its attempts; None where it is not known.
    """
    if block is None:
        return None
    simulated: float | None = 0.0
    for body, spent in _spent(rounds):
        simulated = None if simulated is None or body.simulated_seconds is None else simulated + body.simulated_seconds
        if body.validation_loss is None or body.validation_loss > block.validation_loss:
            continue
        taken = [seconds.get(number) for number in range(1, body.round + 1)] if seconds is not None else [None]
        known = [one for one in taken if one is not None]
        return TargetCost(
            validation_loss=block.validation_loss,
            round=body.round,
            bytes=spent,
            simulated_seconds=simulated,
            seconds=round(sum(known), 3) if len(known) == len(taken) else None,
        )
    return TargetCost(validation_loss=block.validation_loss)


def _spent(rounds: Sequence[Round]) -> Iterator[tuple[Round, int]]:
    """Each committed round with the bytes of it and all before it."""
    spent = 0
    for body in rounds:
        spent += body.bytes_down + body.bytes_up
        yield body, spent
