"""Judging replies: which may enter the mean, which are left out, and why."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from flwr.app import Message

from . import arrays as arr
from .arrays import Arrays
from .transport import one_line, reason_of

METRICS = ("partition-id", "num-examples", "steps", "peak-memory-bytes", "peak-device-bytes", "deterministic")
"""Whole numbers that a reply must have, beside its loss."""
UNREACHABLE = (3, 4, 5)
"""Flower's error codes for messages and nodes that are not available: nothing came from the client itself."""


@dataclass
class Harvest:
    """A round's replies after judging. Lists are by ascending partition id."""

    replies: list[dict[str, Any]] = field(default_factory=list)
    """Ledger's `Reply` of each usable one."""
    excluded: list[dict[str, Any]] = field(default_factory=list)
    """Ledger's `Exclusion` of the others."""
    weighted: list[tuple[float, Arrays]] = field(default_factory=list)
    """(rows in the partition, adapter) of each usable one."""
    bytes_up: int = 0
    """Bytes of all arrays received, usable or not."""
    peak_memory_bytes: int = 0
    """Largest that a client reported."""
    peak_device_bytes: int = 0
    """Largest that a client reported of its device."""
    deterministic: bool = True
    """Whether every client computed in a way that gives the same bits again."""


class _Unusable(Exception):
    def __init__(self, reason: str, detail: str = "") -> None:
        self.reason = reason
        self.detail = one_line(detail)
        super().__init__(reason)


@dataclass(frozen=True)
class Expected:
    """What a usable reply must agree with."""

    current: Arrays
    """The adapter that was sent."""
    adapter: Mapping[str, Any]
    """Adapter block in force, for digests."""
    sizes: Sequence[int]
    """Rows by partition."""
    steps: int
    """Optimiser steps asked for."""


def judge(asked: Sequence[int], received: Sequence[Message | None], expected: Expected) -> Harvest:
    """Judge what came from the partitions `asked` (ascending), one message or None for each."""
    harvest = Harvest()
    for partition, message in zip(asked, received, strict=True):
        try:
            _take(harvest, partition, message, expected)
        except _Unusable as problem:
            entry = {"partition": partition, "reason": problem.reason, "detail": problem.detail}
            harvest.excluded.append(entry)
    return harvest


def _take(harvest: Harvest, partition: int, message: Message | None, expected: Expected) -> None:
    rows = expected.sizes[partition]
    if message is None:
        raise _Unusable("missing", "no reply in time")
    if message.has_error():
        raise _Unusable("missing" if message.error.code in UNREACHABLE else "error", reason_of(message))
    arrays, metrics = _open(harvest, message)
    loss = metrics["loss"]
    harvest.peak_memory_bytes = max(harvest.peak_memory_bytes, metrics["peak-memory-bytes"])
    harvest.peak_device_bytes = max(harvest.peak_device_bytes, metrics["peak-device-bytes"])
    harvest.deterministic &= bool(metrics["deterministic"])
    if metrics["partition-id"] != partition:
        raise _Unusable("wrong-partition", f"it trained on partition {metrics['partition-id']}")
    if metrics["num-examples"] != rows:
        raise _Unusable("wrong-partition", f"it has {metrics['num-examples']} rows, the partition {rows}")
    if metrics["steps"] != expected.steps:
        raise _Unusable("error", f"it took {metrics['steps']} steps, asked for were {expected.steps}")
    if arrays is None:
        raise _Unusable("wrong-shape", "its arrays cannot be read")
    if different := arr.mismatch(arrays, expected.current):
        raise _Unusable("wrong-shape", different)
    if bad := arr.not_finite(arrays):
        raise _Unusable("not-finite", f"{bad} holds NaN or infinity")
    if not math.isfinite(loss):
        raise _Unusable("not-finite", "its loss is NaN or infinite")
    reply = {
        "partition": partition,
        "examples": rows,
        "steps": expected.steps,
        "loss": loss,
        "update": arr.digest(expected.adapter, arrays),
    }
    harvest.replies.append(reply)
    harvest.weighted.append((float(rows), arrays))


def _open(harvest: Harvest, message: Message) -> tuple[Arrays | None, dict[str, Any]]:
    """Arrays (None where they cannot be read) and metrics of a reply; meters the arrays first."""
    arrays: Arrays | None = {}
    for record in message.content.array_records.values():
        try:
            arrays = arr.from_record(record)
            harvest.bytes_up += arr.nbytes(arrays)
        except (ValueError, TypeError, EOFError, OSError):
            arrays = None
            harvest.bytes_up += arr.declared_bytes(record)
    try:
        record = message.content["metrics"]
        metrics = {key: int(record[key]) for key in METRICS}
        return arrays, {**metrics, "loss": float(record["loss"])}
    except (KeyError, TypeError, ValueError) as error:
        raise _Unusable("error", f"its reply lacks a metric: {error}") from None
