"""What both benchmarks share: the quickstart's world, and two sides timed in turn."""

from __future__ import annotations

import json
import os
import platform
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

from ftbench.data.store import Store
from ftbench.spec.load import find_spec, load_pins, load_spec
from ftbench.spec.model import Spec
from ftbench.spec.pins import Pins

# Before any library reads them.
os.environ.update({"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false", "WANDB_DISABLED": "true"})


@dataclass(frozen=True)
class World:
    """The quickstart: everything lies in the repository."""

    spec: Spec
    pins: Pins
    store: Store
    model: Path
    """Folder of the base model, its digest checked."""


def world() -> World:
    """The quickstart's spec, pins, data and model."""
    path = find_spec("quickstart")
    spec, store = load_spec(path).spec, Store.default(None)
    return World(spec, load_pins(path), store, store.model_path(store.model_digest(spec.model.base)))


def in_turn(sides: dict[str, Callable[[], float]], repeats: int, *, warm: bool = False) -> dict[str, list[float]]:
    """Seconds that each side says it took, side after side and round after round, so that both meet the same load.

    The first round warms up and is not counted, unless they are `warm`.
    """
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    for number in range(warm, repeats + 1):
        for name, side in sides.items():
            took = side()
            if number:
                seconds[name].append(took)
    return seconds


def timed(work: Callable[[], Any]) -> float:
    """Wall time of one call in seconds."""
    start = perf_counter()
    work()
    return perf_counter() - start


def report(title: str, seconds: dict[str, list[float]], facts: dict[str, Any]) -> None:
    """Medians, the ratio of the second side to the first, and what it was measured on; last line: the same as JSON."""
    ours, theirs = seconds
    ratios = [b / a for a, b in zip(seconds[ours], seconds[theirs], strict=True)]
    found = {
        "benchmark": title,
        "median_seconds": {name: round(statistics.median(all_), 4) for name, all_ in seconds.items()},
        "ratio": round(statistics.median(ratios), 3),
        "least_ratio": round(min(ratios), 3),
        "most_ratio": round(max(ratios), 3),
        "repeats": len(ratios),
        "machine": machine(),
        **facts,
    }
    for name, all_ in seconds.items():
        print(f"{name:<34} median {statistics.median(all_):8.3f} s   {_listed(all_)}")
    print(f"ratio {theirs} / {ours}: {found['ratio']} (from {found['least_ratio']} to {found['most_ratio']})")
    print(json.dumps(found))


def machine() -> dict[str, Any]:
    """What the figures are of."""
    import torch
    import transformers

    device = torch.cuda.get_device_name(0) if torch.cuda.is_available() else "CPU"
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 2),
        "threads": torch.get_num_threads(),
        "device": device,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "transformers": transformers.__version__,
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _listed(seconds: Sequence[float]) -> str:
    return " ".join(f"{one:.3f}" for one in seconds)
