"""The learning rate of a round, and of the steps in it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any


def learning_rate(schedule: Mapping[str, Any], round_number: int, rounds: int) -> float:
    """Learning rate of round r of R, r counted from 1.

    cosine (Loshchilov and Hutter, arXiv 1608.03983): final + (first − final) · (1 + cos(π x)) / 2 with
    x = (r − 1) / max(R − 1, 1); with `endpoints: last` x = r / R.
    """
    first = float(schedule["learning_rate"])
    if schedule["kind"] == "constant":
        return first
    if schedule["kind"] == "cosine":
        final = float(schedule["final_learning_rate"])
        endpoints = schedule.get("endpoints") or "both"
        if endpoints not in ("both", "last"):
            raise ValueError(f"unknown endpoints {endpoints!r} of a schedule")
        last = endpoints == "last"
        angle = math.pi * (round_number if last else round_number - 1) / (rounds if last else max(rounds - 1, 1))
        return final + (first - final) * (1 + math.cos(angle)) / 2
    raise ValueError(f"unknown schedule {schedule['kind']!r}")


def factors(training: Mapping[str, Any], steps: int) -> list[float]:
    """For each step of a client's round the share of the round's learning rate that it has.

    They are those of transformers' schedules of these names, whose steps are counted from 0.
    """
    kind, warmup = training.get("within_round") or "constant", int(training.get("warmup_steps") or 0)
    if kind not in ("constant", "linear"):
        raise ValueError(f"unknown schedule {kind!r} inside a round")
    after = [(steps - i) / max(1, steps - warmup) if kind == "linear" else 1.0 for i in range(warmup, steps)]
    return [i / warmup for i in range(min(warmup, steps))] + after
