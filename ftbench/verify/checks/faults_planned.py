"""Who dropped out, came late or sent a damaged update is whom spec and seed strike, and nobody else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

from ftbench.result.documents import Exclusion, Round, Stopped
from ftbench.spec.implied import fault_plan
from ftbench.spec.implied.traffic import Shapes
from ftbench.verify import formulas, open_division, traffic
from ftbench.verify.check import Check, Failure, judge, plural
from ftbench.verify.context import Context
from ftbench.verify.limits import ATTACKED

WORDS = ("dropped-out", "late")
"""Reasons that only a spec's faults give."""
DEADLINE = "That those told to be late missed the deadline, which goes by bytes, and that damage showed"
"""What a strategy of the entry's own leaves open."""
LATE: fault_plan.Reason = "late"
NOTHING = traffic.Due({}, {})


def run(context: Context) -> str | Failure:
    """Draw them again for each round, and for each round that was stopped. Attacks leave no trace in a ledger."""
    spec, seed = context.in_force, context.entry.seed
    own = context.brings("strategy") and spec.faults is not None
    if own:
        open_division.skipped(context, DEADLINE)
    case = fault_plan.Case(spec.faults, seed, spec.federation.clients, spec.training.local_steps)
    struck: Counter[str] = Counter()
    problems: list[str] = []
    for body, moved in zip(context.rounds, _moved(context, own), strict=True):
        due = _Due(case, body.round, moved, _late(case, body.excluded) if own else None)
        problems += _excluded(f"round {body.round}", body.excluded, due)
        problems += _replied(body, due)
        seconds, counted = body.simulated_seconds, due.seconds(body.simulated_seconds)
        if not _same(seconds, counted):
            problems.append(f"round {body.round} took {seconds} s of simulated time, due are {counted}")
        struck.update(due.strike.missing.values())
        struck.update({"damaged": len(due.damaged)})
    problems += _stops(context, case, own)
    if spec.faults is None:
        return judge(problems, "the spec plans none, and none is told")
    attackers = fault_plan.attackers(case)
    if attackers:
        context.notes.append(ATTACKED.format(len(attackers), spec.federation.clients))
    told = ", ".join(f"{struck[name]} {name}" for name in (*WORDS, "damaged"))
    return judge(problems, f"drawn again from seed {seed} for {plural(len(context.rounds), 'round')}: {told}")


def _moved(context: Context, own: bool) -> list[traffic.Due]:
    """What each round moves; nothing where nobody can be struck, or where only the entry's code knows."""
    if context.in_force.faults is None:
        return [NOTHING] * len(context.rounds)
    if own:
        return [traffic.Due(dict.fromkeys(body.sampled, 0), dict.fromkeys(body.sampled, 0)) for body in context.rounds]
    return traffic.due(context)


def _late(case: fault_plan.Case, excluded: Sequence[Exclusion]) -> set[int]:
    if case.faults is None or case.faults.stragglers is None:
        return set()
    return {one.partition for one in excluded if one.reason == "late"}


class _Due:
    """What the faults do to a round. `late`: those told to be so, where nobody else can tell."""

    def __init__(self, case: fault_plan.Case, number: int, due: traffic.Due, late: set[int] | None = None) -> None:
        moved = {client: due.down[client] + due.up[client] for client in due.down}
        known = {client: size for client, size in moved.items() if client < case.clients}
        block = case.faults.stragglers if case.faults else None
        self._open = late is not None
        self._deadline = block.deadline_seconds if block else None
        if late is not None and case.faults is not None:
            case = replace(case, faults=case.faults.model_copy(update={"stragglers": None}))
        strike = fault_plan.strike(case, number, known) if known else fault_plan.Strike()
        if late is not None:
            missing = dict.fromkeys(late & known.keys(), LATE) | strike.missing
            strike = replace(strike, missing=missing)
        self.strike = strike
        # A number is sent in a byte at least: where so few show the damage, all do.
        self.damaged = {
            client
            for client in sorted(self.strike.damaged)
            if late is None and fault_plan.damage_shows(case, number, client, due.up[client] // formulas.FLOAT32)
        }

    def seconds(self, told: float | None) -> float | None:
        """Simulated time; where nobody can tell, up to the deadline as told."""
        if not self._open:
            return self.strike.simulated_seconds
        if self._deadline is None or told is None or self.strike.missing:
            return self._deadline
        return min(told, self._deadline)


def _excluded(where: str, excluded: Sequence[Exclusion], due: _Due) -> Iterator[str]:
    told = {one.partition: one.reason for one in excluded if one.reason in WORDS}
    for client in sorted(told.keys() | due.strike.missing.keys()):
        said, drawn = told.get(client, "not so"), due.strike.missing.get(client, "not so")
        if said != drawn:
            yield f"{where}: client {client} is told to be {said}, by spec and seed it is {drawn}"
    for one in excluded:
        damaged = one.reason == "not-finite" and one.partition in due.strike.damaged
        if one.planned != (one.reason in WORDS or damaged):
            word = "planned" if one.planned else "not planned"
            yield f"{where}: that client {one.partition} is left out ({one.reason}) is told as {word}"


def _replied(body: Round, due: _Due) -> Iterator[str]:
    for reply in body.replies:
        if reply.partition in due.damaged:
            yield f"round {body.round}: client {reply.partition} is in the mean, its update arrives damaged"


def _stops(context: Context, case: fault_plan.Case, own: bool) -> Iterator[str]:
    """Rounds that were not committed: the same clients were struck."""
    federation, replies = context.in_force.federation, 0
    shapes: Shapes = {}
    if case.faults is not None:
        shapes = {name: tensor.shape for name, tensor in context.tensors.items()}
    for body in (line.body for line in context.lines):
        if isinstance(body, Round):
            replies += len(body.replies)
        if not isinstance(body, Stopped) or body.reason != "too-few-replies":
            continue
        sizes = NOTHING
        if case.faults is not None:
            asked = formulas.chosen_clients(case.seed, body.round, federation.clients, federation.sampling.fraction)
            sizes = traffic.one(context.in_force, shapes, asked, replies)
        due = _Due(case, body.round, sizes, _late(case, body.excluded) if own else None)
        yield from _excluded(f"stopped in round {body.round}", body.excluded, due)


def _same(told: float | None, due: float | None) -> bool:
    if told is None or due is None:
        return told is due
    return formulas.same(told, due)


CHECK = Check(
    "faults-planned", "CONFORMS", "FTB659", "clients struck by faults are those that spec and seed strike", run
)
