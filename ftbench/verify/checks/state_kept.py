"""Server and clients kept the state that the strategy has, and no other."""

from __future__ import annotations

from collections.abc import Iterator

from ftbench.result.models import Round
from ftbench.verify.check import Check, Failure, judge
from ftbench.verify.context import Context

WITH_STATE = ("fedavgm", "fedadam")
"""Strategies whose server carries numbers of its own from round to round."""


def run(context: Context) -> str | Failure:
    """A state after every round for those that have one, never for the others; no client keeps anything."""
    kind = context.in_force.strategy.kind
    problems = [problem for body in context.rounds for problem in _round(body, kind)]
    return judge(problems, f"{kind} keeps {'its own state' if kind in WITH_STATE else 'no state'}, clients none")


def _round(body: Round, kind: str) -> Iterator[str]:
    if (body.strategy_state is not None) != (kind in WITH_STATE):
        told = "no state" if body.strategy_state is None else "a state"
        yield f"round {body.round}: {told} of the strategy, which is {kind}"
    if body.client_states:
        yield f"round {body.round}: states of {len(body.client_states)} clients, which keep none"


CHECK = Check("state-kept", "CONFORMS", "FTB654", "server and clients kept the state that the strategy has", run)
