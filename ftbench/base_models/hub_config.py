"""The architecture that a model's own `config.json` describes, in the hub's format."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from ftbench import codes
from ftbench.base_models.architecture import Architecture
from ftbench.diagnostics import Diagnostic, Place
from ftbench.errors import InvalidInput

KNOWN = ("llama", "mistral", "qwen2", "gemma2", "phi3")
"""Values of `model_type` whose layers are known here."""


def read(path: Path) -> Architecture:
    """The architecture of a `config.json`.

    Raises InvalidInput (FTB802) where the file is no JSON object, is of another model type or lacks a size.
    """
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise _wrong(path, f"not JSON: {error}") from None
    if not isinstance(config, dict):
        raise _wrong(path, "not a JSON object")
    if config.get("model_type") not in KNOWN:
        raise _wrong(path, f"model type {config.get('model_type')!r} is not one of {', '.join(KNOWN)}")
    try:
        return from_config(config)
    except (KeyError, ZeroDivisionError, TypeError, ValidationError) as error:
        what = f"no {error.args[0]}" if isinstance(error, KeyError) else "a size in it is not a whole number above 0"
        raise _wrong(path, what) from None


def stored(path: Path) -> Literal["bfloat16", "float16", "float32"]:
    """Element type that a readable `config.json` states for its weights; float32 where it says nothing."""
    config = json.loads(path.read_text(encoding="utf-8"))
    named = config.get("dtype") or config.get("torch_dtype")
    return named if named in ("bfloat16", "float16") else "float32"


def from_config(config: dict[str, Any]) -> Architecture:
    """The same of a parsed object; what is absent has the default of `transformers` for that model type."""
    kind = config["model_type"]
    heads, hidden = config["num_attention_heads"], config["hidden_size"]
    head_dim = config.get("head_dim") or (256 if kind == "gemma2" else hidden // heads)
    bias: Literal["none", "qkv", "qkvo"] = "none"
    if kind == "qwen2":
        bias = "qkv"
    elif kind in {"llama", "gemma2"} and config.get("attention_bias"):
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
        tied=config.get("tie_word_embeddings", kind == "gemma2"),
        attention_bias=bias,
        mlp_bias=kind == "llama" and bool(config.get("mlp_bias")),
        fused=kind == "phi3",
        norms=4 if kind == "gemma2" else 2,
        context=config["max_position_embeddings"],
    )


def _wrong(path: Path, what: str) -> InvalidInput:
    return InvalidInput(
        Diagnostic(
            codes.BAD_MODEL_FACTS,
            f"this model configuration cannot be understood: {what}",
            place=Place(str(path)),
            hint="give the config.json of a decoder of the types " + ", ".join(KNOWN),
        )
    )
