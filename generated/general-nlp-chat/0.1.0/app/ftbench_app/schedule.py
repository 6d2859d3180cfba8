"""The learning rate of a round."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any


def learning_rate(schedule: Mapping[str, Any], round_number: int, rounds: int) -> float:
    """Learning rate of round r of R, r counted from 1; the same for every step of the round.

    cosine (Loshchilov and Hutter, arXiv 1608.03983): final + (first − final) · (1 + cos(π (r − 1) / max(R − 1, 1))) / 2
    """
    first = float(schedule["learning_rate"])
    if schedule["kind"] == "constant":
        return first
    if schedule["kind"] == "cosine":
        final = float(schedule["final_learning_rate"])
        angle = math.pi * (round_number - 1) / max(rounds - 1, 1)
        return final + (first - final) * (1 + math.cos(angle)) / 2
    raise ValueError(f"unknown schedule {schedule['kind']!r}")
