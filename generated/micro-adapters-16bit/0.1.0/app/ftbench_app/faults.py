"""Faults that the spec asks for: who does not reply in time, whose reply arrives damaged, who attacks.

All of it is drawn from the run's seed, one vector over all clients for each purpose, so that it is the same again after
a restart and a verifier can draw it too. A reference run has no faults.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy
from numpy.typing import NDArray

from .arrays import Arrays
from .settings import Settings

MIB = 2**20
PURPOSES = {
    "dropout": 0x44524F50,
    "computing": 0x434F4D50,
    "network": 0x4E455457,
    "speed": 0x53504544,
    "corrupt": 0x434F5252,
    "damage": 0x44414D47,
    "byzantine": 0x42595A41,
    "attack": 0x4154544B,
}
"""Third word of the seed sequence [seed, round, purpose]; a verifier uses the same. No other purpose has the same word:
numpy pads short sequences with zeros, so [seed, round, purpose] is [seed, round, purpose, partition 0]."""
RUN = 0
"""In place of a round's number, which counts from 1: what is drawn once for a run."""


@dataclass(frozen=True)
class Planned:
    """What the spec's faults do to a round."""

    excluded: list[dict[str, Any]] = field(default_factory=list)
    """Ledger's `Exclusion` of each client that will not reply in time, by ascending partition id."""
    simulated_seconds: float | None = None
    """How long the round takes in simulated time; None where the spec has none."""


def planned(
    settings: Settings, number: int, sampled: Sequence[int], down: Mapping[int, int], up: Mapping[int, int]
) -> Planned:
    """Who of those sampled will not reply. `down`, `up`: bytes that each is sent and would send, by partition id."""
    excluded: dict[int, tuple[str, str]] = {}
    dropout, stragglers = _block(settings, "dropout"), _block(settings, "stragglers")
    if dropout is not None:
        lost = _random(settings, number, "dropout").random(settings.clients) < float(dropout["probability"])
        excluded |= {partition: ("dropped-out", "") for partition in sampled if lost[partition]}
    if stragglers is None:
        return Planned(_exclusions(excluded))
    deadline = float(stragglers["deadline_seconds"])
    every = _seconds(settings, stragglers, number, {k: down[k] + up[k] for k in sorted(sampled)})
    for partition, seconds in every.items():
        if partition not in excluded and seconds > deadline:
            excluded[partition] = ("late", f"{seconds:.6g} s of simulated time, the deadline is {deadline:g} s")
    return Planned(_exclusions(excluded), deadline if excluded else max(every.values()))


def marked(settings: Settings, number: int, excluded: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The ledger's exclusions of a round, each with `planned`: whether the spec's faults struck that client.

    Of judged replies that holds for those which were not finite because they were to arrive damaged.
    """

    def struck(one: Mapping[str, Any]) -> bool:
        damaged = one["reason"] == "not-finite" and corrupted(settings, number, one["partition"])
        return damaged or bool(one.get("planned", False))

    return [{**one, "planned": struck(one)} for one in excluded]


def remedy(excluded: Sequence[Mapping[str, Any]]) -> str:
    """What to do about a round that kept too few replies."""
    if all(one["planned"] for one in excluded):
        return "the spec plans these faults, and the same clients are struck each time: another seed draws others"
    return "mend the cause, then resume the run"


def corrupted(settings: Settings, number: int, partition: int) -> bool:
    """Whether the reply of that client in that round arrives damaged, if it replies."""
    block = _block(settings, "corrupt")
    if block is None:
        return False
    drawn = _random(settings, number, "corrupt").random(settings.clients)
    return bool(drawn[partition] < float(block["probability"]))


def attackers(settings: Settings) -> list[int]:
    """Partition ids of the run's Byzantine clients, ascending."""
    block = _block(settings, "byzantine")
    if block is None:
        return []
    chosen = _random(settings, RUN, "byzantine").choice(settings.clients, size=int(block["clients"]), replace=False)
    return sorted(int(partition) for partition in chosen)


def spoil(settings: Settings, number: int, partition: int, begun: Arrays, reply: Arrays) -> Arrays:
    """What a client with a fault makes of its reply; `begun` is what it received. Others send it as it is."""
    if partition in attackers(settings):
        reply = _attacked(settings, number, partition, begun, reply)
    if corrupted(settings, number, partition):
        reply = _damaged(settings, number, partition, reply)
    return reply


def _attacked(settings: Settings, number: int, partition: int, begun: Arrays, reply: Arrays) -> Arrays:
    block = _block(settings, "byzantine") or {}
    attack, strength = block["attack"], float(block["strength"])
    drawn = _random(settings, number, "attack", partition)
    sent = {}
    for name, array in sorted(reply.items()):
        before = begun.get(name)
        known = before is not None and before.shape == array.shape
        start = numpy.asarray(before if known else 0, numpy.float64)
        change = array.astype(numpy.float64) - start
        if attack == "sign-flip":
            value = start - strength * change
        elif attack == "scale":
            value = start + strength * change
        elif attack == "noise":
            size = numpy.sqrt(numpy.mean(change**2)) if change.size else 0.0
            value = start + change + strength * size * drawn.standard_normal(array.shape)
        else:
            raise ValueError(f"unknown attack {attack!r}")
        # Beyond float32 it becomes infinite, and the server leaves it out as not finite.
        with numpy.errstate(over="ignore"):
            sent[name] = value.astype(numpy.float32)
    return sent


def _damaged(settings: Settings, number: int, partition: int, reply: Arrays) -> Arrays:
    block = _block(settings, "corrupt") or {}
    drawn = _random(settings, number, "damage", partition)
    sent = {}
    for name, array in sorted(reply.items()):
        if block["damage"] == "nan":
            sent[name] = array.copy()
            sent[name].reshape(-1)[:1] = numpy.nan
        elif block["damage"] == "random-bits":
            # `bytes(0)` would draw all the same.
            bits = drawn.bytes(4 * array.size) if array.size else b""
            sent[name] = numpy.frombuffer(bits, "<f4").reshape(array.shape).copy()
        else:
            raise ValueError(f"unknown damage {block['damage']!r}")
    return sent


def _seconds(settings: Settings, block: Mapping[str, Any], number: int, moved: Mapping[int, int]) -> dict[int, float]:
    """Simulated seconds of each client's round: steps · seconds a step + bytes / bytes a second."""

    def factors(when: int, purpose: str, spread: str) -> NDArray[Any]:
        drawn = _random(settings, when, purpose).standard_normal(settings.clients)
        return numpy.exp(float(block[spread]) * drawn)

    in_round = factors(number, "speed", "round_spread")
    steps = settings.local_steps * float(block["seconds_per_step"]) * factors(RUN, "computing", "client_spread")
    one_byte = factors(RUN, "network", "client_spread") / (MIB * float(block["mib_per_second"]))
    return {k: float(in_round[k] * (steps[k] + size * one_byte[k])) for k, size in moved.items()}


def _block(settings: Settings, name: str) -> Mapping[str, Any] | None:
    """A part of the spec's `faults`; None where it has none, and in reference runs."""
    faults = settings.spec.get("faults")
    if not faults or settings.reference:
        return None
    block: Mapping[str, Any] | None = faults.get(name)
    return block


def _random(settings: Settings, when: int, purpose: str, *more: int) -> numpy.random.Generator:
    return numpy.random.default_rng([settings.seed, when, PURPOSES[purpose], *more])


def _exclusions(found: Mapping[int, tuple[str, str]]) -> list[dict[str, Any]]:
    return [
        {"partition": partition, "reason": reason, "detail": detail, "planned": True}
        for partition, (reason, detail) in sorted(found.items())
    ]
