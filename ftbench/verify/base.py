"""What a base model's files say of its size and layers, without loading it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from math import prod
from pathlib import Path

from ftbench.result.adapter import Header, read_file_headers

KNOWN_LAYOUT = ("llama", "mistral", "qwen2", "qwen3", "gemma", "gemma2", "phi3")
"""`model_type`s whose linear layers are exactly the two-dimensional weights that are no embedding and no head."""


@dataclass(frozen=True, slots=True)
class Weights:
    """Linear layers of a base model."""

    shapes: dict[str, tuple[int, int]]
    """Module → (out, in)."""
    complete: bool
    """Whether the layout is known, so that these are all of them and nothing else."""


def headers(folder: Path) -> dict[str, Header]:
    """Tensor headers of every safetensors file in a model folder. Raises InvalidInput and OSError."""
    found: dict[str, Header] = {}
    for path in sorted(folder.glob("*.safetensors")):
        found.update(read_file_headers(path))
    return found


def parameters(folder: Path) -> int:
    """Number of parameters as stored: tied weights count once."""
    return sum(prod(header.shape) for header in headers(folder).values())


def packed(folder: Path) -> bool:
    """Whether the weights are stored in fewer bits than a number has, so that elements are not parameters."""
    config = json.loads((folder / "config.json").read_bytes())
    return "quantization_config" in config or any(
        header.dtype in ("U8", "I8", "I32") for header in headers(folder).values()
    )


def linear_weights(folder: Path) -> Weights:
    """Linear layers but the output head, by their weights' shapes."""
    kind = json.loads((folder / "config.json").read_bytes()).get("model_type")
    shapes = {}
    for name, header in headers(folder).items():
        module = name.removesuffix(".weight")
        if module != name and len(header.shape) == 2 and "embed" not in module and module != "lm_head":
            shapes[module] = (header.shape[0], header.shape[1])
    return Weights(shapes, kind in KNOWN_LAYOUT)
