"""Doing part of a committed round again: one client's training, or the aggregation, from what the run's archive holds.

Nothing is taken from the ledger but digests: who was sampled, the learning rate and the first adapter follow from
settings and seed as in a run, and every file of the archive must have the digest that the ledger gives it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy

from . import arrays as arr
from . import client_round, client_state, codec, exchange, initial, replies, state, store
from .arrays import Arrays
from .errors import AppError
from .files import write_atomic
from .in_force import strategy_of
from .ledger import Body, Ledger
from .settings import Settings


class Rounds:
    """The committed rounds of somebody's run. `settings.run_dir` holds its ledger and is written to."""

    def __init__(self, settings: Settings, archive: Path) -> None:
        """`archive`: the folder whose `state/` holds what was kept. Raises AppError where the ledger does not read."""
        if settings.run_dir is None:
            raise AppError("FTB540", "the setting `run-dir` is empty")
        self.settings = settings
        self.archive = archive
        self.run_dir: Path = settings.run_dir
        ledger = Ledger(self.run_dir / "ledger.jsonl", settings.spec_hash)
        self.started, self.lines = ledger.started, ledger.rounds()

    def client(self, number: int, partition: int) -> dict[str, Any]:
        """Train that client of that round again. Digests of update and state and the loss, as the ledger has them and
        as they came out; `distance`: ‖again − kept‖ / ‖kept − before‖ over all tensors, 0 where the digests agree,
        null where the update was not kept or changed nothing.

        Raises AppError where the round needs what is not in the archive.
        """
        line = self._reply(number, partition)
        asked = self._exchange(number)
        states = self._states(number)
        self._give_state(partition, states.get(partition, ""))
        task = client_round.Task(partition, number, asked.learning_rate, states.get(partition, ""))
        reply = client_round.carry_out(self.settings, task, asked.sent(partition))
        awaited = asked.awaited(partition)
        made = codec.decode_up(self.settings, reply.arrays, awaited)
        found = arr.digest(self.settings.adapter, made)
        after = self.lines[number - 1]["client_states"].get(str(partition), "")
        same = found == line["update"]
        return {
            "update": line["update"],
            "again": found,
            "loss": line["loss"],
            "loss_again": reply.loss,
            "state": after,
            "state_again": reply.state,
            "distance": 0.0 if same else self._distance(line["update"], made, awaited),
        }

    def aggregation(self, number: int) -> dict[str, Any]:
        """Aggregate that round's kept replies again. Digests of adapter and server state as the ledger has them and as
        they came out. Raises AppError where one is not in the archive."""
        line = self.lines[number - 1]
        asked = self._exchange(number)
        rows = "used" if self.settings.spec["federation"].get("weigh_by") == replies.ROWS_USED else "examples"
        weighted = [
            (float(reply[rows]), state.get(self.archive, self.settings.adapter, reply["update"]))
            for reply in line["replies"]
        ]
        # The server's coding of what it sends leaves a residual, which is part of its next state.
        for partition in asked.sampled:
            asked.sent(partition)
        new, own = exchange.aggregate(asked, weighted)
        kept = "" if own is None else arr.digest(self.settings.spec["strategy"], own)
        return {
            "adapter": line["adapter"],
            "again": arr.digest(self.settings.adapter, new),
            "state": line["strategy_state"] or "",
            "state_again": kept,
        }

    def _reply(self, number: int, partition: int) -> Body:
        if not 1 <= number <= len(self.lines):
            raise AppError("FTB540", f"the ledger has no round {number}")
        for reply in self.lines[number - 1]["replies"]:
            if reply["partition"] == partition:
                found: Body = reply
                return found
        raise AppError("FTB540", f"round {number} has no usable reply of client {partition}")

    def _exchange(self, number: int) -> exchange.Exchange:
        before = self.lines[number - 2] if number > 1 else None
        name = before["strategy_state"] if before else None
        kept = None if name is None else state.get(self.archive, self.settings.spec["strategy"], name)
        if before is None:
            folder = store.model(self.settings.roots, self.settings.model["name"], self.settings.model["revision"])
            current = strategy_of(self.settings).start(initial.arrays(folder, self.settings.spec, self.settings.seed))
        else:
            current = state.get(self.archive, self.settings.adapter, before["adapter"])
        return exchange.begin(self.settings, number, current, kept, self.run_dir)

    def _states(self, number: int) -> dict[int, str]:
        """Partition id → digest of the state that its last committed reply before that round left."""
        return {int(k): name for line in self.lines[: number - 1] for k, name in line["client_states"].items()}

    def _give_state(self, partition: int, name: str) -> None:
        """Put the client's state where a client looks for it."""
        if name:
            found = state.path_of(self.archive, name)
            if not found.is_file():
                raise AppError("FTB549", f"what client {partition} kept is not in the archive: {name}")
            home = self.run_dir / client_state.FOLDER / str(partition)
            write_atomic(state.path_of(home, name), found.read_bytes())

    def _distance(self, name: str, made: Arrays, before: Mapping[str, Any]) -> float | None:
        try:
            kept = state.get(self.archive, self.settings.adapter, name)
        except AppError:
            return None
        if arr.mismatch(made, kept):
            return None
        apart, moved = _norm(made, kept), _norm(kept, before)
        return apart / moved if moved > 0 else None


def _norm(one: Mapping[str, Any], other: Mapping[str, Any]) -> float:
    """Of the difference, over all tensors; a tensor that `other` lacks counts whole."""
    squares = 0.0
    for name, array in one.items():
        difference = array.astype(numpy.float64) - other.get(name, 0.0)
        squares += float((difference**2).sum())
    return float(numpy.sqrt(squares))
