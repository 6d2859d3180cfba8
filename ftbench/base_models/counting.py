"""Architectures of families without arithmetic of their own: counted on the model, or by its files' headers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

from ftbench.base_models.architecture import Architecture, Counted, CountedLinear
from ftbench.base_models.meta_count import SIZES

MOST_LAYERS = 1_000
"""Decoder layers from which settings are not believed."""
SECONDS = 180
"""Longest that a count may take. Most of what it takes, some ten seconds, is the import of torch."""
OTHER_NAMES = {
    "hidden": ("n_embd", "d_model"),
    "layers": ("n_layer", "num_layers", "n_layers"),
    "heads": ("n_head", "n_heads"),
    "context": ("n_positions", "max_seq_len", "seq_length"),
}
"""Names of sizes in settings that no transformers has read."""


def check_layers(settings: Mapping[str, Any]) -> None:
    """Raise NotCounted for settings of a model that would be walked through, or made, without end."""
    inner = settings.get("text_config")
    for text in (settings, inner if isinstance(inner, dict) else {}):
        layers = _first(text, ("num_hidden_layers", *OTHER_NAMES["layers"]))
        if layers is not None and layers > MOST_LAYERS:
            raise NotCounted(f"its settings name {layers} layers")


class NotCounted(Exception):
    """Why there is no count; goes on from `it cannot be counted: `."""


def on_meta(settings: Mapping[str, Any]) -> Architecture:
    """The architecture that a `config.json` describes, counted in a process of its own.

    Raises NotCounted; ModuleNotFoundError where torch or transformers is not installed.
    """
    quiet = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"}
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HF_TOKEN")}
    try:
        done = subprocess.run(
            [sys.executable, "-m", "ftbench.base_models.meta_count"],
            input=json.dumps(settings),
            env=kept | quiet,
            capture_output=True,
            text=True,
            check=False,
            timeout=SECONDS,
        )
    except subprocess.TimeoutExpired:
        raise NotCounted(f"it was not made within {SECONDS} seconds") from None
    try:
        told = json.loads(done.stdout.rsplit("\n", 2)[-2])
    except (ValueError, IndexError):
        raise NotCounted(f"the count ended with exit status {done.returncode}") from None
    if "missing" in told:
        raise ModuleNotFoundError(told["missing"], name=told["missing"])
    if "error" in told:
        raise NotCounted(f"transformers says: {told['error'][:300]}")
    return made(settings, told)


def made(settings: Mapping[str, Any], told: Mapping[str, Any]) -> Architecture:
    """The architecture that a count tells of. Raises NotCounted where it says too little."""
    linears = [CountedLinear.model_validate(one) for one in told["linears"]]
    counted = Counted(parameters=told["parameters"], linears=linears)
    return _architecture(settings, counted, told["sizes"], tied=told["tied"])


def by_headers(settings: Mapping[str, Any], tensors: Mapping[str, tuple[int, ...]]) -> Architecture:
    """The same from the shapes of stored weights: linear layers are the matrices that are no embedding, as the verifier
    has it. Raises NotCounted where settings say too little."""
    linears = []
    for name, shape in tensors.items():
        module = name.removesuffix(".weight")
        if module != name and len(shape) == 2 and "embed" not in module:
            head = module == "lm_head"
            linears.append(CountedLinear(name=module, inputs=shape[1], outputs=shape[0], head=head))
    counted = Counted(parameters=sum(map(_elements, tensors.values())), linears=linears)
    tied = not any(linear.head for linear in linears)
    inner = settings.get("text_config")
    text = {**settings, **inner} if isinstance(inner, dict) else settings
    sizes = {size: _first(text, (*names, *OTHER_NAMES.get(size, ()))) for size, names in SIZES.items()}
    return _architecture(settings, counted, sizes, tied=tied)


def _architecture(
    settings: Mapping[str, Any], counted: Counted, sizes: Mapping[str, int | None], *, tied: bool
) -> Architecture:
    def size(name: str, otherwise: int | None = None) -> int:
        found = sizes.get(name) or otherwise
        if not found:
            raise NotCounted(f"its settings do not say its {name}")
        return found

    hidden, heads = size("hidden"), size("heads", 1)
    widest = max((linear.outputs for linear in counted.linears if not linear.head), default=hidden)
    biased = {linear.name.rpartition(".")[2] for linear in counted.linears if linear.bias}
    return Architecture(
        model_type=str(settings.get("model_type")),
        hidden=hidden,
        layers=size("layers"),
        heads=heads,
        kv_heads=size("kv_heads", heads),
        head_dim=size("head_dim", max(1, hidden // heads)),
        intermediate=size("intermediate", widest),
        vocabulary=size("vocabulary"),
        tied=tied,
        attention_bias="qkvo" if "o_proj" in biased else "qkv" if {"q_proj", "qkv_proj"} & biased else "none",
        mlp_bias=bool({"down_proj", "up_proj"} & biased),
        context=size("context", 1),
        counted=counted,
    )


def _first(settings: Mapping[str, Any], names: tuple[str, ...]) -> int | None:
    found = (settings.get(name) for name in names)
    return next((value for value in found if type(value) is int and value > 0), None)


def _elements(shape: tuple[int, ...]) -> int:
    count = 1
    for width in shape:
        count *= width
    return count
