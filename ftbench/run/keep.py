"""How much of its rounds a run keeps for whoever does part of it again, and what that comes to on disk."""

from __future__ import annotations

import math

from ftbench.run.disk import elements
from ftbench.spec.model import Spec
from ftbench.spec.outline import Outline
from ftbench.spec.strategies import STRATEGIES

AUTO = -1
"""Of `--keep`: all rounds where they come to AUTO_BYTES at most, else none."""
AUTO_BYTES = 2 * 2**30


def parse(text: str) -> int:
    """`all`, `none`, `auto` or `every K` → keep every so manieth round. Raises ValueError."""
    known = {"all": 1, "none": 0, "auto": AUTO}
    if text in known:
        return known[text]
    number = text.removeprefix("every").strip(" -=")
    if not (number.isascii() and number.isdecimal()) or int(number) < 1:
        raise ValueError(f"{text!r} is none of `all`, `none`, `auto` and `every K`")
    return int(number)


def archive_bytes(spec: Spec, trained: int, every: int) -> int:
    """About what the archive of a run holds; `spec`: with the entry's knobs in force; `trained`: elements of an
    adapter, 0 where they are unknown.

    A kept round has the adapter before it, one reply a client sampled, and states where strategy or coding keep any.
    """
    if every < 1:
        return 0
    federation, record = spec.federation, STRATEGIES[spec.strategy.kind]
    sampled = max(1, math.floor(federation.sampling.fraction * federation.clients + 0.5))
    states = int(record.server_keeps != "nothing") + 2 * record.variates
    states += sampled if record.client_keeps or spec.transport.up != "float32" else 0
    rounds = len(range(0, federation.rounds, every))
    return 4 * trained * rounds * (1 + sampled + states)


def in_force(asked: int, spec: Spec, outline: Outline) -> int:
    """What `--keep` comes to: AUTO is decided by what all rounds would take."""
    if asked != AUTO:
        return asked
    return 1 if archive_bytes(spec, elements(spec, outline), 1) <= AUTO_BYTES else 0
