"""The clients asked in each round are those that the seed chooses."""

from __future__ import annotations

from ftbench.verify import formulas
from ftbench.verify.check import Check, Failure, judge, plural
from ftbench.verify.context import Context


def run(context: Context) -> str | Failure:
    """Draw them again."""
    federation, seed = context.in_force.federation, context.entry.seed
    problems = []
    for body in context.rounds:
        due = formulas.chosen_clients(seed, body.round, federation.clients, federation.sampling.fraction)
        if body.sampled != due:
            problems.append(f"round {body.round} asked {_short(body.sampled)}; seed {seed} chooses {_short(due)}")
    return judge(problems, f"clients drawn again from seed {seed} for {plural(len(context.rounds), 'round')}")


def _short(clients: list[int]) -> str:
    return str(clients) if len(clients) <= 10 else f"{len(clients)} clients"


CHECK = Check("client-choice", "CONFORMS", "FTB640", "the clients asked are those that the seed chooses", run)
