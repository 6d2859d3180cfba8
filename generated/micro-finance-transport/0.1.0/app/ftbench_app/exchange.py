"""One round's questions and answers: what each client is sent, what it costs, and what comes back."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from pathlib import Path

from flwr.app import ConfigRecord, Message, MessageType, RecordDict
from flwr.serverapp import Grid

from . import arrays as arr
from . import codec, faults, open_division, privacy, replies, schedule, seeding, state, transport
from .arrays import Arrays
from .in_force import strategy_of
from .inbox import MEMORY_BYTES, Inbox
from .ordered_sum import OrderedSum
from .settings import Settings
from .strategy import Weighted


class Exchange:
    """What a round asks of whom."""

    def __init__(
        self,
        *,
        settings: Settings,
        number: int,
        sampled: list[int],
        learning_rate: float,
        current: Arrays,
        kept: Arrays | None,
        run_dir: Path,
    ) -> None:
        """`sampled`: partition ids, ascending; `current`: the global adapter; `kept`: the server's state."""
        self.settings = settings
        self.number = number
        self.sampled = sampled
        self.learning_rate = learning_rate
        self.current = current
        self.kept = kept
        self.kind = strategy_of(settings)
        self.down = codec.Down(settings, state.part(kept, state.TRANSPORT))
        self._own = state.part(kept, state.STRATEGY)
        self.inbox = Inbox(run_dir, sum(arr.nbytes(self.awaited(partition)) for partition in sampled))

    def sent(self, partition: int) -> Arrays:
        """The arrays that go to that client, as coded."""
        return self.down.encode(self.kind.outgoing(self.current, self._own, partition))

    def awaited(self, partition: int) -> Arrays:
        """What its reply must be like, before it is coded."""
        return self.kind.awaited(self.current, partition)

    @cached_property
    def _down(self) -> dict[int, int]:
        return {partition: arr.nbytes(self.sent(partition)) for partition in self.sampled}

    @cached_property
    def _up(self) -> dict[int, int]:
        settings = self.settings
        return {k: arr.nbytes(codec.like_up(settings, self.awaited(k))) for k in self.sampled}

    @property
    def bytes_down(self) -> int:
        """Bytes of the arrays sent to all clients sampled."""
        return sum(self._down.values())

    @property
    def bytes_up(self) -> int:
        """Bytes of the arrays that come back where all reply."""
        return sum(self._up.values())

    @cached_property
    def planned(self) -> faults.Planned:
        """Who will not reply because the spec says so. They are charged what they are sent, and left alone."""
        return faults.planned(self.settings, self.number, self.sampled, self._down, self._up)

    @property
    def _sums(self) -> bool:
        """Whether replies may be added up as they come. Small ones are held: that is as fast, and one path less."""
        return (
            self.inbox.spills
            and self.kind.needs_mean_alone
            and not privacy.clips_here(self.settings)
            and not open_division.brings(self.settings.open_code, "strategy")  # may inherit what it does not keep to
        )

    def carry_out(
        self, grid: Grid, nodes: Mapping[int, int], states: Mapping[int, str], *, each: bool = False
    ) -> replies.Harvest:
        """Ask, wait and judge. `nodes`: partition id → node id; `states`: partition id → digest of its state; `each`:
        whether every reply is wanted after the round, and not only what the strategy needs of them."""
        away = {exclusion["partition"]: exclusion for exclusion in self.planned.excluded}
        present = [partition for partition in self.sampled if partition not in away]
        total = None if each or not self._sums else OrderedSum(present, self.inbox)
        judge = replies.Judge(self.settings, self.awaited, self.inbox, total)
        judge.harvest.unusable |= away
        largest = max(*self._down.values(), *self._up.values(), 1)

        def take(position: int, message: Message) -> None:
            judge.take(present[position], message)

        transport.exchange(
            grid,
            self._messages(present, nodes, states),
            self.settings.round_timeout,
            take,
            at_once=max(1, MEMORY_BYTES // largest),
        )
        for partition in present:
            if partition not in judge.harvest.usable and partition not in judge.harvest.unusable:
                judge.harvest.leave_out(partition, "missing", "no reply in time")
        return judge.harvest

    def _messages(self, present: list[int], nodes: Mapping[int, int], states: Mapping[int, str]) -> Iterator[Message]:
        record = _recorder()
        for partition in present:
            config: dict[str, int | float | str] = {
                "round": self.number,
                "learning-rate": self.learning_rate,
                "client-state": states.get(partition, ""),
            }
            yield Message(
                RecordDict({"adapter": record(self.sent(partition)), "config": ConfigRecord(config)}),
                dst_node_id=nodes[partition],
                message_type=MessageType.TRAIN,
                group_id=str(self.number),
                ttl=max(self.settings.round_timeout, 1.0),
            )


def begin(settings: Settings, number: int, current: Arrays, kept: Arrays | None, run_dir: Path) -> Exchange:
    """Who is asked for what in a round; `kept`: the server's state before it."""
    fraction = float(settings.spec["federation"]["sampling"]["fraction"])
    return Exchange(
        settings=settings,
        number=number,
        sampled=seeding.choose_clients(settings.seed, number, settings.clients, fraction),
        learning_rate=schedule.learning_rate(settings.spec["training"]["schedule"], number, settings.rounds),
        current=current,
        kept=kept,
        run_dir=run_dir,
    )


def aggregate(exchange: Exchange, weighted: Weighted) -> tuple[Arrays, Arrays | None]:
    """The next adapter and the server's next state; a virtual client's adapter is the next as it is.

    `weighted`: (rows by which the client counts, arrays) of usable replies, by ascending partition id.
    """
    if exchange.settings.virtual:
        return dict(weighted[0][1]), None
    weighted, clipping = privacy.central(
        exchange.settings,
        exchange.number,
        weighted,
        base=exchange.awaited(exchange.sampled[0]),
        sampled=len(exchange.sampled),
        state=state.part(exchange.kept, state.PRIVACY),
    )
    new, own = exchange.kind.aggregate(exchange.current, weighted, state.part(exchange.kept, state.STRATEGY))
    kept = {state.STRATEGY: own, state.PRIVACY: clipping, state.TRANSPORT: exchange.down.residual}
    return new, state.join(kept)


def _recorder() -> Callable[[Arrays], object]:
    """`arrays.to_record` that makes one record of the same arrays for all clients."""
    last: tuple[Arrays, object] | None = None

    def record(arrays: Arrays) -> object:
        nonlocal last
        if last is None or last[0] is not arrays:
            last = arrays, arr.to_record(arrays)
        return last[1]

    return record
