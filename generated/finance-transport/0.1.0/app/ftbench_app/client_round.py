"""One client's round, from the message to the reply: decode, begin, train, answer, code.

The strategy says where training begins and what is sent back; what a fault or the client's own privacy makes of that
comes after it, and the coding for the way comes last.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from . import client_state, codec, faults, open_division, own_code, privacy, state, worker
from .arrays import Arrays
from .errors import AppError
from .in_force import strategy_of
from .settings import Settings
from .strategy.base import Strategy
from .training import Outcome


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


@dataclass(frozen=True)
class Begun:
    """A round of a client that has read what it was sent."""

    wanted: Settings
    task: Task
    kind: Strategy
    received: Arrays
    folder: Path | None
    """Where it keeps its state; None: it keeps none."""
    before: Arrays | None
    """The state that it had."""

    @property
    def own(self) -> Arrays | None:
        """What of the state is the strategy's."""
        return state.part(self.before, state.STRATEGY)

    @property
    def own_training(self) -> bool:
        """Whether the entry's own code trains."""
        return open_division.brings(self.wanted.open_code, "client") and not self.wanted.virtual


def carry_out(wanted: Settings, task: Task, sent: Arrays) -> Reply:
    """Train as asked from the arrays that were sent. Raises AppError where that is not possible."""
    return alone(begin(wanted, task, sent))


def begin(wanted: Settings, task: Task, sent: Arrays) -> Begun:
    """Find the client's state, and decode. Raises AppError."""
    folder = client_state.root(wanted, task.state_dir) if keeps_state(wanted) else None
    before = client_state.load(folder, task.partition, task.state) if folder else None
    return Begun(wanted, task, strategy_of(wanted), codec.received(wanted, sent), folder, before)


def alone(begun: Begun) -> Reply:
    """Train this client by itself, and answer. Raises AppError."""
    train: own_code.Train = own_code.train() if begun.own_training else worker.train
    trained, outcome = train(
        begun.wanted,
        begun.task.partition,
        round_number=begun.task.round,
        learning_rate=begun.task.learning_rate,
        received=begun.received,
        kind=begun.kind,
        client_state=begun.own,
    )
    return answer(begun, trained, outcome)


def answer(begun: Begun, trained: Arrays, outcome: Outcome) -> Reply:
    """The reply with what training came to. Raises AppError."""
    wanted, task, received = begun.wanted, begun.task, begun.received
    reply, own = begun.kind.reply(received, trained, outcome, begun.own)
    # What the reply is a change from: as on the server, in values received.
    base = begun.kind.awaited(received, task.partition)
    if not wanted.virtual:
        reply = privacy.local(wanted, task.round, task.partition, base, reply)
        reply = faults.spoil(wanted, task.round, task.partition, base, reply)
    coded, residual = codec.encode_up(wanted, reply, base, state.part(begun.before, state.TRANSPORT))
    after = state.join({state.STRATEGY: own, state.TRANSPORT: residual})
    if after is None:
        return Reply(coded, outcome.loss, "", outcome.used, outcome.micro_batch)
    if begun.folder is None:
        raise AppError("FTB555", "the strategy has a client's state to keep, and its `keeps_client_state` is not set")
    kept = client_state.keep(begun.folder, task.partition, after)
    return Reply(coded, outcome.loss, kept, outcome.used, outcome.micro_batch)


def keeps_state(wanted: Settings) -> bool:
    """Whether clients keep anything from round to round."""
    return strategy_of(wanted).keeps_client_state or codec.keeps_client_state(wanted)
