"""Faults that strike somebody, and leave enough clients for every run to come to its end.

What strikes is drawn from the seed alone, so that it is known before a run: a round that keeps too few clients keeps
too few each time it is tried.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache

from ftbench import codes
from ftbench.spec.checks.federation import sampled
from ftbench.spec.faults import Faults
from ftbench.spec.implied import fault_plan
from ftbench.spec.model import Spec
from ftbench.spec.problems import Problem
from ftbench.spec.strategies import STRATEGIES

AT = ("faults",)
FLOAT32 = 4
"""Bytes of a number, at most, as it is sent."""
WORK = 6_000
"""Rounds of up to a hundred clients that are drawn, about a second's work; of a larger spec only the first ones are."""


@dataclass(frozen=True)
class Question:
    """What the draws of a spec's faults depend on."""

    faults: Faults
    seeds: tuple[int, ...]
    clients: int
    asked: int
    """Clients asked in a round."""
    rounds: int
    steps: int
    least: int
    """Fewest replies."""
    largest: int
    """Most bytes that a client is sent and sends in a round."""


@dataclass
class Tally:
    """What the faults of a spec do over all seeds and rounds looked at."""

    whole: bool
    """Whether all rounds were looked at."""
    struck: dict[int, set[str]] = field(default_factory=dict)
    """Seed → the kinds of fault that strike in it, as names of the block's fields."""
    stuck: tuple[int, int, int] | None = None
    """(seed, round, clients left) of the first round that keeps fewer than it needs."""


def block(spec: Spec) -> Iterator[Problem]:
    """The parts of the block say something, and fit the federation."""
    faults = spec.faults
    if spec.evaluation.references.fault_free and faults is None:
        message = "`evaluation.references.fault_free` trains without the spec's faults, and it has none"
        hint = "leave it out, or say under `faults` what goes wrong"
        yield Problem(codes.NO_EFFECT, ("evaluation", "references", "fault_free"), message, hint)
    if faults is None:
        return
    if not any(_parts(faults).values()):
        yield Problem(codes.NO_EFFECT, AT, "`faults` names none", "leave it out, or say what goes wrong", key=True)
    byzantine = faults.byzantine
    if byzantine is not None and byzantine.clients > spec.federation.clients:
        message = f"{byzantine.clients} Byzantine clients, but there are {spec.federation.clients} clients"
        yield Problem(codes.CONTRADICTION, (*AT, "byzantine", "clients"), message)
    if byzantine is not None and byzantine.attack == "scale" and byzantine.strength == 1:
        message = "`attack: scale` with strength 1 sends the client's own update"
        yield Problem(codes.NO_EFFECT, (*AT, "byzantine", "strength"), message, "scale it by more or less")


def replies(spec: Spec) -> Iterator[Problem]:
    """Dropout leaves as many clients as a round needs, on the average."""
    if spec.faults is None or spec.faults.dropout is None:
        return
    federation = spec.federation
    count = sampled(federation.clients, federation.sampling.fraction)
    expected = count * (1 - spec.faults.dropout.probability)
    if expected < federation.min_replies:
        message = f"of {count} clients asked {expected:.3g} reply on the average; a round needs "
        message += f"`federation.min_replies` {federation.min_replies}"
        hint = "a round with fewer ends the run: ask more, need fewer, or lower the probability"
        yield Problem(codes.CONTRADICTION, (*AT, "dropout", "probability"), message, hint, severity="warning")


def strikes(spec: Spec) -> Iterator[Problem]:
    """Every kind of fault strikes in some run, every run is struck, and every round keeps enough clients."""
    faults = spec.faults
    if faults is None or not any(_parts(faults).values()):
        return
    if faults.byzantine is not None and faults.byzantine.clients > spec.federation.clients:
        return
    found = tally(_question(spec, faults))
    if found.stuck:
        seed, number, left = found.stuck
        message = f"with seed {seed}, round {number} keeps {left} of the clients asked, and "
        message += f"`federation.min_replies` is {spec.federation.min_replies}: that run can never end"
        hint = "the same clients are struck each time: ask more, need fewer, weaken the faults or change `seeds.runs`"
        yield Problem(codes.CONTRADICTION, AT, message, hint, key=True)
        return
    if not found.whole:
        return
    for name, part in _parts(faults).items():
        if part is not None and not any(name in struck for struck in found.struck.values()):
            message = f"`faults.{name}` strikes no client in any round of any seed"
            hint = "leave it out, or make it stronger"
            if name == "stragglers":
                message = "nobody can miss `deadline_seconds`, in any round of any seed with the largest adapter"
                hint = "shorten it, or leave the block out"
            yield Problem(codes.NO_EFFECT, (*AT, name), message, hint, key=True)
            return
    for seed, struck in found.struck.items():
        if not struck:
            message = f"with seed {seed} no fault strikes any client: that run is one without faults"
            yield Problem(codes.NO_EFFECT, AT, message, "make them stronger, or change `seeds.runs`", key=True)
            return


@lru_cache(maxsize=64)
def tally(question: Question) -> Tally:
    """Draw the faults of every seed and round, as far as WORK goes.

    Whether too few are left is judged with arrays of no size, whether anybody is late with the largest that the budget
    allows: the adapter's size depends on the base model.
    """
    faults, clients = question.faults, question.clients
    rounds = min(question.rounds, max(1, WORK // ((clients // 100 + 1) * len(question.seeds))))
    found = Tally(rounds == question.rounds)
    for seed in question.seeds:
        struck = found.struck.setdefault(seed, set())
        case = fault_plan.Case(faults, seed, clients, question.steps)
        hostile = set(fault_plan.attackers(case))
        for number in range(1, rounds + 1):
            asked = fault_plan.sampled_clients(seed, number, clients, question.asked)
            least, most = (fault_plan.strike(case, number, dict.fromkeys(asked, n)) for n in (0, question.largest))
            reasons = set(most.missing.values())
            struck |= {"dropout"} if "dropped-out" in reasons else set()
            struck |= {"stragglers"} if "late" in reasons else set()
            struck |= {"corrupt"} if least.damaged else set()
            struck |= {"byzantine"} if hostile & set(asked) - set(least.missing) else set()
            surely = least.damaged if faults.corrupt is not None and faults.corrupt.damage == "nan" else frozenset()
            left = question.asked - len(least.missing) - len(surely)
            if left < question.least and found.stuck is None:
                found.stuck = (seed, number, left)
    return found


def _question(spec: Spec, faults: Faults) -> Question:
    federation = spec.federation
    count = sampled(federation.clients, federation.sampling.fraction)
    return Question(
        faults=faults,
        seeds=tuple(spec.seeds.runs),
        clients=federation.clients,
        asked=count,
        rounds=federation.rounds,
        steps=spec.training.local_steps,
        least=federation.min_replies,
        largest=_largest(spec, count),
    )


def _largest(spec: Spec, count: int) -> int:
    """Most bytes that a client is sent and sends in a round."""
    record = STRATEGIES[spec.strategy.kind]
    ways = 1 + count * spec.federation.rounds if record.growing else 2 * record.sent
    return int(ways * FLOAT32 * spec.budget.trainable_parameters)


def _parts(faults: Faults) -> dict[str, object]:
    return {name: getattr(faults, name) for name in Faults.model_fields}
