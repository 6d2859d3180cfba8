"""One client's round, from the message to the reply: decode, begin, train, answer, code.

The strategy says where training begins and what is sent back; what a fault or the client's own privacy makes of that
comes after it, and the coding for the way comes last.
"""

from __future__ import annotations

from dataclasses import dataclass

from . import client_state, codec, faults, open_division, own_code, privacy, state, worker
from .arrays import Arrays
from .errors import AppError
from .in_force import strategy_of
from .settings import Settings


@dataclass(frozen=True)
class Task:
    """What the server asks of a client."""

    partition: int
    round: int
    """Counted from 1."""
    learning_rate: float
    state: str
    """Digest of the state that the client must begin from; empty: it has none."""
    state_dir: str = ""
    """The node's own folder for states; empty: the run's."""


@dataclass(frozen=True)
class Reply:
    """What a client answers."""

    arrays: Arrays
    """As sent."""
    loss: float
    state: str
    """Digest of the client's new state; empty: it keeps none."""
    used: int | None
    """Rows that it learnt from; None: its own code does not say."""
    micro_batch: int
    """Examples in one pass; 0: its own code does not say."""


def carry_out(wanted: Settings, task: Task, sent: Arrays) -> Reply:
    """Train as asked from the arrays that were sent. Raises AppError where that is not possible."""
    kind = strategy_of(wanted)
    folder = client_state.root(wanted, task.state_dir) if keeps_state(wanted) else None
    before = client_state.load(folder, task.partition, task.state) if folder else None
    begun = codec.received(wanted, sent)
    own = state.part(before, state.STRATEGY)
    own_training = open_division.brings(wanted.open_code, "client") and not wanted.virtual
    train: own_code.Train = own_code.train() if own_training else worker.train
    trained, outcome = train(
        wanted,
        task.partition,
        round_number=task.round,
        learning_rate=task.learning_rate,
        received=begun,
        kind=kind,
        client_state=own,
    )
    reply, own = kind.reply(begun, trained, outcome, own)
    base = kind.awaited(begun, task.partition)  # what the reply is a change from: as on the server, in values received
    if not wanted.virtual:
        reply = privacy.local(wanted, task.round, task.partition, base, reply)
        reply = faults.spoil(wanted, task.round, task.partition, base, reply)
    coded, residual = codec.encode_up(wanted, reply, base, state.part(before, state.TRANSPORT))
    after = state.join({state.STRATEGY: own, state.TRANSPORT: residual})
    if after is None:
        return Reply(coded, outcome.loss, "", outcome.used, outcome.micro_batch)
    if folder is None:
        raise AppError("FTB555", "the strategy has a client's state to keep, and its `keeps_client_state` is not set")
    kept = client_state.keep(folder, task.partition, after)
    return Reply(coded, outcome.loss, kept, outcome.used, outcome.micro_batch)


def keeps_state(wanted: Settings) -> bool:
    """Whether clients keep anything from round to round."""
    return strategy_of(wanted).keeps_client_state or codec.keeps_client_state(wanted)
