"""Server and clients kept the state that strategy, privacy and transport have, and no other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from ftbench.result.documents import Round
from ftbench.spec.model import Spec
from ftbench.spec.strategies import STRATEGIES
from ftbench.verify import clipping, open_division
from ftbench.verify.check import Check, Failure, judge
from ftbench.verify.context import Context

CLIP = "the adaptive clip"
DIGESTS = "What the states of server and clients hold: in a ledger they are digests."


def run(context: Context) -> str | Failure:
    """A server state after every round for those that have one; a state of each client whose reply was usable.

    No state is another's, nor that of another round. A server that keeps its clip alone has the state that the next
    round's clip makes.
    """
    if context.brings("strategy"):
        evidence = open_division.skipped(context, "That server and clients kept the states that their strategy has")
        return judge(_of_nobody(context.rounds), evidence)
    server, clients = server_keeps(context.in_force), clients_keep(context.in_force)
    problems = [problem for body in context.rounds for problem in _round(body, server, clients)]
    problems += _repeated(context.rounds, context.partition.digests, new_each_round(context.in_force))
    if server == [CLIP]:
        problems += _clips(context)
    if server or clients:
        context.notes.append(DIGESTS)
    told = f"server keeps {_listed(server)}, clients {_listed(clients)}"
    return judge(problems, told)


def server_keeps(spec: Spec) -> list[str]:
    """What makes the server keep a state."""
    kept: list[str] = [spec.strategy.kind] if STRATEGIES[spec.strategy.kind].server_keeps != "nothing" else []
    if spec.privacy is not None and spec.privacy.clipping == "adaptive":
        kept.append(CLIP)
    return kept + ([f"{spec.transport.down} residual"] if spec.transport.down != "float32" else [])


def clients_keep(spec: Spec) -> list[str]:
    """What makes clients keep one."""
    kind, up = spec.strategy.kind, spec.transport.up
    record = STRATEGIES[kind]
    kept = [kind] if record.client_keeps else []
    # Where replies are no changes that add up, what coding one loses is not made up for later.
    return kept + ([f"{up} residual"] if up != "float32" and record.changes_add_up else [])


def _round(body: Round, server: list[str], clients: list[str]) -> Iterator[str]:
    if (body.strategy_state is not None) != bool(server):
        told = "no state" if body.strategy_state is None else "a state"
        yield f"round {body.round}: {told} of the server, which keeps {_listed(server)}"
    due = {str(reply.partition) for reply in body.replies} if clients else set()
    if set(body.client_states) != due:
        yield (
            f"round {body.round}: states of {len(body.client_states)} clients, of whose {len(body.replies)} usable "
            f"replies {len(due)} leave one"
        )


def new_each_round(spec: Spec) -> bool:
    """Whether the server's state is another one after every round.

    Momentum, control variates and what coding lost are. A second moment alone may stay as it is in float32.
    """
    keeps = STRATEGIES[spec.strategy.kind].server_keeps
    moment = keeps == "moments" and bool(spec.strategy.beta1)
    return keeps == "velocity" or moment or spec.transport.down != "float32"


def _repeated(rounds: Sequence[Round], rows: Sequence[str], server: bool) -> Iterator[str]:
    """States with the digest of another state, of an update or of an adapter. `rows`: digests of the partitions.

    Two clients with the same rows may end one round alike.
    """
    known = {body.adapter: "the adapter" for body in rounds}
    known |= {reply.update: "an update" for body in rounds for reply in body.replies}
    for body in rounds:
        here: dict[str, str] = {}
        for client, name in body.client_states.items():
            place = int(client) if client.isdecimal() and len(client) < 10 else -1
            mine = rows[place] if 0 <= place < len(rows) else client
            if name in known or here.get(name, mine) != mine:
                yield f"round {body.round}: client {client} has the state of {known.get(name, 'another client')}"
            here[name] = mine
        known |= dict.fromkeys(here, f"a client in round {body.round}")
        kept = body.strategy_state
        if kept in known and (server or not known[kept].startswith("the server")):
            yield f"round {body.round}: the server has the state of {known[kept]}"
        if kept is not None:
            known[kept] = f"the server after round {body.round}"


def _of_nobody(rounds: Sequence[Round]) -> Iterator[str]:
    """States of clients that did not reply: whatever the strategy, the server takes none from them."""
    for body in rounds:
        for client in sorted(body.client_states.keys() - {str(reply.partition) for reply in body.replies}):
            yield f"round {body.round}: a state of client {client}, of whom there is no usable reply"


def _clips(context: Context) -> Iterator[str]:
    """What the server keeps is the clip that the next round tells."""
    for body, after in pairwise(context.rounds):
        if after.privacy is not None and body.strategy_state != clipping.state(
            context.block("strategy"), after.privacy.clip
        ):
            yield f"round {body.round}: the state of the server is not the clip of the next round"


def _listed(kept: list[str]) -> str:
    return " and ".join(kept) if kept else "nothing"


CHECK = Check("state-kept", "CONFORMS", "FTB654", "server and clients kept the states that the spec implies", run)
