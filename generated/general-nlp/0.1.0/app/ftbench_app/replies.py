"""Judging replies: which may enter the mean, which are left out, and why."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from flwr.app import Message
from numpy.typing import NDArray

from . import arrays as arr
from . import client_rows, codec, open_division
from .arrays import Arrays
from .inbox import Inbox
from .ordered_sum import OrderedSum
from .settings import Settings
from .strategy import Weighted
from .transport import one_line, reason_of

METRICS = (
    "partition-id",
    "num-examples",
    "num-used",
    "steps",
    "peak-memory-bytes",
    "peak-device-bytes",
    "peak-reserved-bytes",
    "memory-growth-bytes",
    "micro-batch",
    "deterministic",
)
"""Whole numbers that a reply must have, beside its loss."""
MEMORY: tuple[tuple[str, str, Callable[[int, int], int]], ...] = (
    ("allocated_bytes", "peak-device-bytes", max),
    ("reserved_bytes", "peak-reserved-bytes", max),
    ("growth_bytes", "memory-growth-bytes", max),
    ("micro_batch", "micro-batch", min),
)
"""What is measured → the metric that tells it, and which of several clients' counts."""
TOGETHER = "clients-together"
"""The metric of a client that trained in passes shared with others: how many, itself among them."""
NOT_KNOWN = -1
"""`num-used` of a client whose own code does not say how many rows it learnt from."""
ROWS_USED = "rows-used"
"""The spec's `federation.weigh_by` with which a client counts by what it used."""
DIGEST = re.compile("[0-9a-f]{64}")
UNREACHABLE = (3, 4, 5)
"""Flower's error codes for messages and nodes that are not available: nothing came from the client itself."""


@dataclass
class Usable:
    """A reply that may enter the mean."""

    line: dict[str, Any]
    """The ledger's `Reply`."""
    arrays: Mapping[str, NDArray[Any]]
    """In float32, where the inbox keeps them; none where replies are added up as they come."""
    state: str
    """Digest of the client's new state; empty: it keeps none."""


@dataclass
class Harvest:
    """A round's replies after judging, by partition id."""

    usable: dict[int, Usable] = field(default_factory=dict)
    unusable: dict[int, dict[str, Any]] = field(default_factory=dict)
    """The ledger's `Exclusion` of each."""
    bytes_up: int = 0
    """Bytes of all arrays received, usable or not."""
    peak_memory_bytes: int = 0
    """Largest that a client reported."""
    peak_device_bytes: int = 0
    """Largest that a client reported of its device."""
    client_memory: dict[str, int] = field(default_factory=dict)
    """The most that a client reported of its process alone: what torch allocated and reserved on its device, by how
    much its resident set grew, and the fewest examples in one pass. What no client knows is not there."""
    together: int = 1
    """Most clients that trained in shared passes by their own word."""
    total: OrderedSum | None = None
    """Where replies are added up as they come: their sum."""
    by_used: bool = False
    """Whether a client counts by the rows that it used, not by those that it holds."""
    deterministic: bool = True
    """Whether every client computed in a way that gives the same bits again."""

    def note_memory(self, metrics: Mapping[str, Any]) -> None:
        """Take in what a client says of its own memory."""
        for name, metric, pick in MEMORY:
            if told := metrics[metric]:
                self.client_memory[name] = pick(told, self.client_memory.get(name, told))

    @property
    def replies(self) -> list[dict[str, Any]]:
        """The ledger's lines of usable replies, by ascending partition id."""
        return [self.usable[partition].line for partition in sorted(self.usable)]

    @property
    def excluded(self) -> list[dict[str, Any]]:
        """The ledger's lines of the others, by ascending partition id."""
        return [self.unusable[partition] for partition in sorted(self.unusable)]

    def weight(self, line: Mapping[str, Any]) -> float:
        """Rows by which the client of that `Reply` counts."""
        return float(line["used" if self.by_used else "examples"])

    def weighted(self) -> Weighted:
        """(rows by which the client counts, arrays) of usable replies, by ascending partition id; where they were added
        up, one reply in their place."""
        if self.total is not None:
            return self.total.replies()
        return [(self.weight(self.usable[k].line), self.usable[k].arrays) for k in sorted(self.usable)]

    @property
    def states(self) -> dict[str, str]:
        """Partition id → digest of the state that its usable reply left."""
        return {str(k): self.usable[k].state for k in sorted(self.usable) if self.usable[k].state}

    def leave_out(self, partition: int, reason: str, detail: str = "") -> None:
        """Record that a client is not in the mean."""
        self.unusable[partition] = {"partition": partition, "reason": reason, "detail": one_line(detail)}


class _Unusable(Exception):
    def __init__(self, reason: str, detail: str = "") -> None:
        self.reason = reason
        self.detail = detail
        super().__init__(reason)


class Judge:
    """Judges the replies of one round as they come."""

    def __init__(
        self, settings: Settings, awaited: Callable[[int], Arrays], inbox: Inbox, total: OrderedSum | None = None
    ) -> None:
        """`awaited`: partition id → what its reply must be like, as the strategy says; `total`: where replies are added
        up, if each by itself is of no use."""
        self.settings = settings
        self.awaited = awaited
        self.inbox = inbox
        self.sizes = client_rows.sizes(settings)
        self.harvest = Harvest(total=total, by_used=settings.spec["federation"].get("weigh_by") == ROWS_USED)

    def take(self, partition: int, message: Message) -> None:
        """Take the reply of that client in, or note why it is of no use."""
        try:
            self.harvest.usable[partition] = self._usable(partition, message)
        except _Unusable as problem:
            self.harvest.leave_out(partition, problem.reason, problem.detail)
            if self.harvest.total is not None:
                self.harvest.total.leave_out(partition)

    def _usable(self, partition: int, message: Message) -> Usable:
        harvest, rows, steps = self.harvest, self.sizes[partition], self.settings.local_steps
        if message.has_error():
            raise _Unusable("missing" if message.error.code in UNREACHABLE else "error", reason_of(message))
        arrays, metrics = _open(harvest, message)
        loss = metrics["loss"]
        harvest.peak_memory_bytes = max(harvest.peak_memory_bytes, metrics["peak-memory-bytes"])
        harvest.peak_device_bytes = max(harvest.peak_device_bytes, metrics["peak-device-bytes"])
        harvest.note_memory(metrics)
        harvest.together = max(harvest.together, metrics[TOGETHER])
        harvest.deterministic &= bool(metrics["deterministic"])
        if metrics["partition-id"] != partition:
            raise _Unusable("wrong-partition", f"it trained on partition {metrics['partition-id']}")
        if metrics["num-examples"] != rows:
            raise _Unusable("wrong-partition", f"it has {metrics['num-examples']} rows, the partition {rows}")
        used = self._used(metrics["num-used"], rows)
        if metrics["steps"] != steps:
            raise _Unusable("error", f"it took {metrics['steps']} steps, asked for were {steps}")
        if arrays is None:
            raise _Unusable("wrong-shape", "its arrays cannot be read")
        awaited = self.awaited(partition)
        if different := arr.mismatch(arrays, codec.like_up(self.settings, awaited)):
            raise _Unusable("wrong-shape", different)
        arrays = codec.decode_up(self.settings, arrays, awaited)
        if bad := arr.not_finite(arrays):
            raise _Unusable("not-finite", f"{bad} holds NaN or infinity")
        if not math.isfinite(loss):
            raise _Unusable("not-finite", "its loss is NaN or infinite")
        line = {
            "partition": partition,
            "examples": rows,
            "used": used,
            "steps": steps,
            "loss": loss,
            "update": arr.digest(self.settings.adapter, arrays),
        }
        return Usable(line, self._kept(partition, line, arrays), metrics["client-state"])

    def _kept(self, partition: int, line: Mapping[str, Any], arrays: Arrays) -> Mapping[str, NDArray[Any]]:
        if self.harvest.total is None:
            return self.inbox.keep(partition, arrays)
        self.harvest.total.take(partition, self.harvest.weight(line), arrays)
        return {}

    def _used(self, told: int, rows: int) -> int | None:
        """Rows that a client used by its own word; None where its own code does not say and nothing hangs on it."""
        if told == NOT_KNOWN and not self.harvest.by_used and open_division.brings(self.settings.open_code, "client"):
            return None
        if not 1 <= told <= rows:
            said = "does not say how many of its rows it used" if told == NOT_KNOWN else f"used {told} of {rows} rows"
            raise _Unusable("error", f"it {said}")
        return told


def _open(harvest: Harvest, message: Message) -> tuple[Arrays | None, dict[str, Any]]:
    """Arrays (None where they cannot be read) and metrics of a reply; meters the arrays first."""
    arrays: Arrays | None = {}
    for record in message.content.array_records.values():
        try:
            arrays = arr.views(record)
            harvest.bytes_up += arr.nbytes(arrays)
        except ValueError:
            arrays = None
            harvest.bytes_up += arr.declared_bytes(record)
    try:
        record = message.content["metrics"]
        state = str(message.content["config"]["client-state"])
        if state and not DIGEST.fullmatch(state):
            raise ValueError("its state has no digest for a name")
        return arrays, {
            **{key: int(record[key]) for key in METRICS},
            TOGETHER: int(record[TOGETHER]) if TOGETHER in record else 1,
            "loss": float(record["loss"]),
            "client-state": state,
        }
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise _Unusable("error", f"its reply lacks a metric: {error}") from None
