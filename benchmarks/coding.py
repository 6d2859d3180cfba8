"""Our coding of an adapter against torch's own: the same numbers to bf16 or int8 and back, one scale a direction.

    python benchmarks/coding.py --coding int8 --rank 32

The adapter is LoRA of that rank on q and v of Mistral-7B-v0.3. Prints the seconds of both sides, their ratio, and the
bytes against float32. That both lose the same is checked, not assumed.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

import common
import numpy
import torch

from ftbench.app import arrays as arr
from ftbench.app import coding
from ftbench.app.coding import int8
from ftbench.base_models.adapters import shapes
from ftbench.base_models.catalogue import find_base_model

MODEL = "mistralai/Mistral-7B-v0.3"
ALIKE = 0.001
"""Largest relative difference of what the two sides lose: torch's scale is rounded to nearest, ours up."""
SEED = 7


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--coding", choices=["bf16", "int8"], default="int8", help="default: int8")
    parser.add_argument("--rank", type=int, default=32, help="rank of the adapter (default: 32)")
    parser.add_argument("--layers", type=int, default=32, help="layers of the model (default: all 32)")
    parser.add_argument("--repeats", type=int, default=5, help="times that each side is measured (default: 5)")
    parser.add_argument("--threads", type=int, default=1, help="threads of torch (default: 1)")
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)

    generator = numpy.random.default_rng(SEED)
    adapter = {
        name: generator.normal(scale=1e-3, size=shape).astype("f4")
        for name, shape in shapes(find_base_model(MODEL).architecture, "lora", asked.rank, ["q_proj", "v_proj"]).items()
        if int(name.split(".layers.")[1].split(".")[0]) < asked.layers
    }
    ends: dict[str, dict[str, Any]] = {}

    def side(name: str, work: Callable[[], dict[str, Any]]) -> Callable[[], float]:
        return lambda: common.timed(lambda: ends.update({name: work()}))

    sides = {
        f"ftbench, {asked.coding}": side("ours", lambda: ours(asked.coding, adapter)),
        f"torch, {asked.coding}": side("theirs", lambda: theirs(asked.coding, adapter)),
    }
    seconds = common.in_turn(sides, asked.repeats)
    lost = {name: root(adapter, end) for name, end in ends.items()}
    if abs(lost["ours"] - lost["theirs"]) > ALIKE * lost["theirs"]:
        sys.exit(f"the two sides are no comparison: they lose {lost}")
    sent = sum(arr.nbytes(coding.find_coding(asked.coding).encode(name, array)) for name, array in adapter.items())
    facts = {
        "coding": asked.coding,
        "parameters": arr.elements(adapter),
        "bytes": sent,
        "bytes_of_float32": sent / arr.nbytes(adapter),
        "lost": lost["ours"],
    }
    common.report("coding", seconds, facts)


def ours(kind: str, adapter: arr.Arrays) -> dict[str, Any]:
    """There and back as the compiled app does it, without residuals."""
    one = coding.find_coding(kind)
    return {name: one.decode(name, one.encode(name, array)) for name, array in adapter.items()}


def theirs(kind: str, adapter: arr.Arrays) -> dict[str, Any]:
    """There and back with torch's kernels."""
    return {name: _theirs(kind, torch.from_numpy(array)).numpy() for name, array in adapter.items()}


def _theirs(kind: str, values: torch.Tensor) -> torch.Tensor:
    if kind == "bf16":
        return values.to(torch.bfloat16).to(torch.float32)
    axis = 0 if values.shape[0] <= values.shape[1] else 1
    scales = values.abs().amax(dim=1 - axis) / int8.STEPS
    zero = torch.zeros_like(scales, dtype=torch.int32)
    low, high = -int8.STEPS, int8.STEPS
    return torch.fake_quantize_per_channel_affine(values, scales, zero, axis, low, high)


def root(adapter: arr.Arrays, end: dict[str, Any]) -> float:
    """Root mean square of what was lost, in parts of the values' own."""
    lost = sum(float(((end[name].astype("f8") - array) ** 2).sum()) for name, array in adapter.items())
    whole = sum(float((array.astype("f8") ** 2).sum()) for array in adapter.values())
    return float((lost / whole) ** 0.5)


if __name__ == "__main__":
    main()
