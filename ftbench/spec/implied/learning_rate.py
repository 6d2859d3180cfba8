"""The learning rate of a round, as the verifier and the estimate count it. Written apart from the app on purpose."""

from __future__ import annotations

import math

from ftbench.spec.model import CosineSchedule, Schedule, Training


def of_round(schedule: Schedule, number: int, rounds: int) -> float:
    """Learning rate of round `number`, counted from 1, of `rounds`."""
    first = schedule.learning_rate
    if not isinstance(schedule, CosineSchedule):
        return first
    last = schedule.final_learning_rate
    done, whole = (number, rounds) if schedule.endpoints == "last" else (number - 1, max(rounds - 1, 1))
    return last + (first - last) * (1 + math.cos(math.pi * done / whole)) / 2


def steps_worth(training: Training) -> float:
    """Sum over a client's steps of the share of the round's learning rate that each has."""
    steps, warm = training.local_steps, training.warmup_steps or 0
    up, rest = min(warm, steps), max(steps - warm, 0)
    rising = up * (up - 1) / 2 / warm if warm else 0.0  # 0, 1 / warm, …
    return rising + ((rest + 1) / 2 if training.within_round == "linear" and rest else rest)
