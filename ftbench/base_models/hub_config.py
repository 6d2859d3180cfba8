"""The architecture that a model's own `config.json` describes, in the hub's format."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from ftbench import codes
from ftbench.base_models import counting
from ftbench.base_models.architecture import Architecture
from ftbench.diagnostics import Diagnostic, Place
from ftbench.errors import InvalidInput

KNOWN = ("llama", "mistral", "qwen2", "qwen3", "gemma2", "gemma3_text", "phi3", "smollm3")
"""Values of `model_type` whose layers are computed here; every other one is counted."""
Stored = Literal["bfloat16", "float16", "float32"]


@dataclass(frozen=True, slots=True)
class Settings:
    """A `config.json` that was read."""

    architecture: Architecture
    stored: Stored
    """Element type that it states for the weights; float32 where it says nothing."""
    packed: bool
    """Whether it says that the weights are stored quantised, so that their elements are not the model's parameters."""


def read(path: Path) -> Architecture:
    """The architecture of a `config.json`. Raises InvalidInput (FTB802), as `parse`; ModuleNotFoundError."""
    return parse(path.read_bytes(), str(path)).architecture


def parse(data: bytes, where: str, tensors: Mapping[str, tuple[int, ...]] | None = None) -> Settings:
    """What the bytes of a `config.json` say; `where` is its name in messages.

    A family without arithmetic here is counted: by the shapes of its stored `tensors`, or on the model itself.
    Raises InvalidInput (FTB802) where it is no JSON object, lacks a size or cannot be counted; ModuleNotFoundError
    where the packages that count are not installed.
    """
    try:
        config = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise _wrong(where, f"not JSON: {error}") from None
    if not isinstance(config, dict):
        raise _wrong(where, "not a JSON object")
    if not isinstance(config.get("model_type"), str):
        raise _wrong(where, "it does not say its `model_type`")
    try:
        return Settings(_architecture(config, tensors), _stored(config), "quantization_config" in config)
    except counting.NotCounted as error:
        raise _wrong(where, f"a model of type {config['model_type']!r} cannot be counted: {error}") from None
    except (KeyError, ZeroDivisionError, TypeError, ValidationError) as error:
        what = f"no {error.args[0]}" if isinstance(error, KeyError) else "a size in it is not a whole number above 0"
        raise _wrong(where, what) from None


def _architecture(config: dict[str, Any], tensors: Mapping[str, tuple[int, ...]] | None) -> Architecture:
    counting.check_layers(config)
    if config["model_type"] in KNOWN:
        return from_config(config)
    return counting.on_meta(config) if tensors is None else counting.by_headers(config, tensors)


def _stored(config: dict[str, Any]) -> Stored:
    named = config.get("dtype") or config.get("torch_dtype")
    return named if named in ("bfloat16", "float16") else "float32"


def from_config(config: dict[str, Any]) -> Architecture:
    """The same of a parsed object; what is absent has the default of `transformers` for that model type."""
    kind = config["model_type"]
    heads, hidden = config["num_attention_heads"], config["hidden_size"]
    gemma = kind in {"gemma2", "gemma3_text"}
    head_dim = config.get("head_dim") or (256 if gemma else 128 if kind == "qwen3" else hidden // heads)
    bias: Literal["none", "qkv", "qkvo"] = "none"
    if kind == "qwen2":
        bias = "qkv"
    elif kind in {"llama", "gemma2", "gemma3_text", "qwen3", "smollm3"} and config.get("attention_bias"):
        bias = "qkvo"
    return Architecture(
        model_type=kind,
        hidden=hidden,
        layers=config["num_hidden_layers"],
        heads=heads,
        kv_heads=config.get("num_key_value_heads") or heads,
        head_dim=head_dim,
        intermediate=config["intermediate_size"],
        vocabulary=config["vocab_size"],
        tied=config.get("tie_word_embeddings", gemma or kind == "smollm3"),
        attention_bias=bias,
        mlp_bias=kind in {"llama", "smollm3"} and bool(config.get("mlp_bias")),
        fused=kind == "phi3",
        norms=4 if gemma else 2,
        qk_norm=kind in {"qwen3", "gemma3_text"},
        context=config["max_position_embeddings"],
    )


def _wrong(where: str, what: str) -> InvalidInput:
    return InvalidInput(
        Diagnostic(
            codes.BAD_MODEL_FACTS,
            f"this model configuration cannot be understood: {what}",
            place=Place(where),
            hint="give the config.json of a decoder that transformers itself has",
        )
    )
