"""What may leave a site: numbers of known names, arrays named as those that came, the digest of a state. No text.

Whatever the app answers goes through here, so an app that is allowed and still answers more than it may is held back at
the site. What arrays hold in their values nobody can tell from outside: against that stands the spec's `privacy`.
"""

from __future__ import annotations

import re
from collections.abc import Set
from dataclasses import dataclass
from typing import Any

from flwr.app import ArrayRecord, ConfigRecord, Message, MessageType, MetricRecord, RecordDict
from numpy.typing import NDArray

METRICS = frozenset(
    {
        "partition-id",
        "num-examples",
        "num-used",
        "steps",
        "loss",
        "peak-memory-bytes",
        "peak-device-bytes",
        "peak-reserved-bytes",
        "memory-growth-bytes",
        "micro-batch",
        "deterministic",
    }
)
"""Single numbers of a reply to training, as the app's server asks for them; a test holds the two together."""
DIGEST = re.compile(r"([0-9a-f]{64})?")
SCALE = "::scale"
"""Ending of the name under which the scales of an int8 array are sent."""
DTYPES = frozenset({"float32", "uint16", "int8"})
"""Of the codings: float32, bf16 and int8 with its scales."""
PACKED = "safetensors"
"""Name of the one array of a record."""
HEADER = 256
"""Most bytes of an array's own header."""
CODE = re.compile(r"FTB\d{3}")


@dataclass(frozen=True)
class Held:
    """Why a reply is held back, in words that quote nothing of it."""

    why: str


def check(asked: Message, reply: RecordDict, most_bytes: int) -> Held | None:
    """None where the reply may leave. `most_bytes`: of all its arrays together."""
    kind = asked.metadata.message_type
    wanted: dict[str, type] = {"metrics": MetricRecord}
    if kind == MessageType.TRAIN:
        wanted |= {"adapter": ArrayRecord, "config": ConfigRecord}
    elif kind != MessageType.QUERY:
        return Held("it answers a message of a kind that this site does not answer")
    if {name: type(record) for name, record in reply.items()} != wanted:
        return Held("it has other records than a reply has")
    names = METRICS if kind == MessageType.TRAIN else frozenset({"partition-id"})
    if held := _metrics(reply["metrics"], names):
        return held
    if kind == MessageType.QUERY:
        return None
    return _config(reply["config"]) or _arrays(asked, reply["adapter"], most_bytes)


def told(reason: str, codes: dict[str, str]) -> str:
    """What may leave of an error: the code of the app that it begins with, in that code's own words."""
    found = CODE.search(reason)
    if found is None or found[0] not in codes:
        return "FTB559 the app failed at this site (its log says how)"
    return f"{found[0]} {codes[found[0]]} (this site's log says what)"


def _metrics(record: MetricRecord, names: Set[str]) -> Held | None:
    if record.keys() != names:
        return Held("it has other metrics than a reply has")
    for name, value in record.items():
        whole = isinstance(value, int) and not isinstance(value, bool) and -1 <= value < 2**53
        real = name == "loss" and isinstance(value, float)
        if not (whole or real):
            return Held(f"its metric `{name}` is not a single number of its range")
    return None


def _config(record: ConfigRecord) -> Held | None:
    state = record.get("client-state")
    if record.keys() != {"client-state"} or not isinstance(state, str) or not DIGEST.fullmatch(state):
        return Held("its config is more than the digest of a state")
    return None


def _arrays(asked: Message, record: ArrayRecord, most_bytes: int) -> Held | None:
    """Of the one array of bytes of a record: a safetensors file, exactly as its arrays give it again, and no more."""
    try:
        came, found = unpacked(asked.content["adapter"]), unpacked(record)
    except Exception:  # the bytes are the app's, and there are many ways of not reading them
        return Held("its arrays cannot be read, or carry more than their values")
    known = {name.removesuffix(SCALE) for name in came}
    for name, array in found.items():
        if name.removesuffix(SCALE) not in known:
            return Held("it has an array that was not sent to it")
        if array.dtype.name not in DTYPES:
            return Held(f"its array `{name}` is of a type that no coding has")
    total = sum(array.nbytes for array in found.values())
    return Held(f"its arrays have {total} bytes, {most_bytes} are the most") if total > most_bytes else None


def unpacked(record: ArrayRecord) -> dict[str, NDArray[Any]]:
    """The arrays of a record. Raises ValueError, or what numpy and safetensors raise, for what is no such record or
    holds more than its arrays."""
    from safetensors.numpy import load, save

    (array,) = record.values()
    whole = array.numpy()
    data = whole.tobytes()
    found: dict[str, NDArray[Any]] = load(data)
    described = (array.dtype, tuple(array.shape), array.stype) == ("uint8", (len(data),), "numpy.ndarray")
    if list(record) != [PACKED] or not described or len(array.data) - len(data) > HEADER or save(found) != data:
        raise ValueError
    return found
