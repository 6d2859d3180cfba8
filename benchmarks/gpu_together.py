"""Clients together against the same clients in turn, for `gpu.py`: same model, card, adapters and examples."""

from __future__ import annotations

import statistics
from functools import partial
from typing import Any

import numpy
import torch
from gpu_loops import SHAPES, build, cuda, examples, mib, peaks, recipe, reset, timed

from ftbench.app import captured, loading, model, prepared, seeding, together, together_steps, training
from ftbench.app.arrays import Arrays

Row = tuple[str, str, int, bool, int, int, str, float, float]
ROWS: list[Row] = [
    # shape, adapter, bits, checkpointing, batch, tokens, lengths, dropout, seconds that the row may take
    ("135M", "lora", 16, False, 16, 64, "whole", 0.0, 40),
    ("135M", "dora", 4, True, 16, 64, "whole", 0.075, 60),
    ("135M", "dora", 4, True, 16, 512, "lognormal", 0.0, 60),
    ("1.5B", "dora", 4, True, 16, 512, "lognormal", 0.075, 90),
]
CHECKED = [("dora", 4, True, 0.0), ("dora", 4, True, 0.1), ("lora", 16, False, 0.0), ("dora", 32, False, 0.0)]
"""Adapter, bits, checkpointing, dropout."""
TINY = [("tiny", kind, bits, again, 4, 160, "lognormal", drop, 12.0) for kind, bits, again, drop in CHECKED]


def clients(row: Row, start: Arrays, many: int, steps: int) -> list[Any]:
    """Each with rows of its own, which begin elsewhere in the same lengths."""
    shape, _, _, _, batch, tokens, lengths, *_ = row
    made = examples(6 * batch, tokens, lengths, SHAPES[shape]["vocab_size"])
    found = []
    for k in range(many):
        mine = made[k * batch :] + made[: k * batch]
        order = (n % len(mine) for n in range(10**9))
        found.append(together_steps.Client(start, mine, order, recipe(steps, batch), k))
    return found


def alone(net: torch.nn.Module, one: Any) -> tuple[Arrays, float]:
    """As the app trains a client by itself."""
    model.set_arrays(net, one.begin)
    seeding.seed_everything(one.seed)
    loss = training.train(net, one.examples, one.order, one.recipe).loss
    return model.get_arrays(net), loss


def far(one: Arrays, other: Arrays, start: Arrays) -> float:
    """‖one − other‖ / ‖one − start‖ over all tensors."""
    apart = sum(float(((one[n] - other[n]).astype(numpy.float64) ** 2).sum()) for n in one)
    moved = sum(float(((one[n] - start[n]).astype(numpy.float64) ** 2).sum()) for n in one)
    return float(numpy.sqrt(apart / moved)) if moved else float("nan")


def measure(row: Row, many: int, left: float) -> dict[str, Any]:
    """One row: seconds of a round of `many` clients in turn and together, in steady state, and how far apart they end.

    Sides take turns, so that a card that warms up or is shared weighs on both.
    """
    shape, kind, bits, checkpointing, _, _, lengths, dropout, seconds = row
    budget = min(seconds, left)
    found: dict[str, Any] = {"row": [*row[:-1]], "clients": many}
    net = build(shape, kind, bits, checkpointing, dropout)
    start = model.get_arrays(net)
    loading.make_deterministic() if cuda() else None
    if why := prepared.prepare(net):
        raise RuntimeError(f"our layers are not in use: {why}")
    weights = torch.cuda.memory_allocated() if cuda() else 0
    adapters = together.Adapters(net, many)

    def made(steps: int) -> list[Any]:
        return clients(row, start, many, steps)

    def in_turn(steps: int) -> list[tuple[Arrays, float]]:
        return [alone(net, one) for one in made(steps)]

    def at_once(steps: int) -> list[tuple[Arrays, float]]:
        return [(one, outcome.loss) for one, outcome in together_steps.train(net, adapters, made(steps))]

    # The first passes of each shape are made by operators, the second ones capture; then a probe says what fits.
    due, got = in_turn(3), at_once(3)
    found["losses_apart"] = max(abs(a[1] - b[1]) / abs(a[1]) for a, b in zip(due, got, strict=True))
    found["adapters_apart_of_moved"] = max(far(a[0], b[0], start) for a, b in zip(due, got, strict=True))
    warm = 3 if lengths == "whole" else 12
    in_turn(warm), at_once(warm)
    sides = {"in_turn": in_turn, "together": at_once}
    probe = sum(timed(partial(side, 3))[0] for side in sides.values()) / 3
    steps = max(3, min(30, int(budget / 2 / 3 / max(probe, 1e-4))))
    times: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(3):
        for name, side in sides.items():
            times[name].append(timed(partial(side, steps))[0] / steps)
    for name, side in sides.items():
        reset()
        side(1)
        found[name] = {
            "seconds_a_step_of_all": round(statistics.median(times[name]), 5),
            "all": [round(one, 5) for one in times[name]],
            "peak_mib": peaks(weights),
        }
    graphs, one = adapters.graphs(together_steps.Graphs), captured.of(net)
    found["steps"] = steps
    found["captured"] = {"in_turn": one.captured if one else 0, "together": graphs.captured if graphs else 0}
    found["adapters_mib"] = mib(2 * adapters.flat.values.numel() * 4)
    found["ratio"] = round(found["together"]["seconds_a_step_of_all"] / found["in_turn"]["seconds_a_step_of_all"], 3)
    return found


def checked(kind: str, bits: int, checkpointing: bool, dropout: float) -> str:
    """Three clients of a tiny model, together and in turn. Raises where they end apart."""
    row: Row = ("tiny", kind, bits, checkpointing, 4, 160, "lognormal", dropout, 2.0)
    found = measure(row, 3, 2.0)
    apart = found["adapters_apart_of_moved"]
    if not apart <= (1e-3 if bits == 32 else 0.1):
        raise RuntimeError(f"clients together end {apart:.1e} of the way apart")
    return f"3 together: {apart:.1e} of the way apart, {found['ratio']} × the time, captured {found['captured']}"
