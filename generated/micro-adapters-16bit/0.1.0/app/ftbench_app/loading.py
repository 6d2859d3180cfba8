"""How the frozen weights are held: precision, quantisation, attention kernel, and how they come off the disk."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from .errors import AppError

ATTENTION = {"eager": "eager", "sdpa": "sdpa", "flash-attention-2": "flash_attention_2"}
"""The spec's name of a kernel → transformers'."""
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


def device() -> torch.device:
    """A CUDA device when there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def make_deterministic() -> None:
    """On a CUDA device: operations in the form that gives the same bits again, where they have one; the others warn."""
    # cuBLAS needs this before its first call.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(True, warn_only=True)
    setattr(torch.utils.deterministic, "fill_uninitialized_memory", False)  # noqa: B010  (unknown to its types)
    torch.backends.cuda.enable_cudnn_sdp(False)  # its backward pass has no such form


def quantization(block: Mapping[str, Any]) -> Any:
    """The bitsandbytes configuration of a spec's `model` block, or None. The output head is never quantised."""
    wanted = block.get("quantization")
    if wanted is None:
        return None
    from transformers import BitsAndBytesConfig

    if wanted["bits"] == 8:
        return BitsAndBytesConfig(load_in_8bit=True)
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type=wanted["kind"],
        bnb_4bit_use_double_quant=wanted["double"],
        bnb_4bit_compute_dtype=DTYPES[wanted.get("compute_dtype") or block["dtype"]],
    )


def loading(block: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments of `from_pretrained`. Raises AppError where the attention kernel is not there."""
    if block["attention"] == "flash-attention-2" and not (
        importlib.util.find_spec("flash_attn") and torch.cuda.is_available()
    ):
        raise AppError(
            "FTB547",
            "the benchmark computes attention with FlashAttention-2, which needs a CUDA device and the package "
            "flash-attn, and one of them is missing",
            "pip install flash-attn on a machine with such a device",
        )
    arguments = {"dtype": DTYPES[block["dtype"]], "attn_implementation": ATTENTION[block["attention"]]}
    config = quantization(block)
    # Quantised weights are made on the device as they are read, one tensor at a time.
    return arguments if config is None else {**arguments, "quantization_config": config, "device_map": {"": device()}}


def load_base(folder: Path, block: Mapping[str, Any]) -> torch.nn.Module:
    """The base model as the spec's `model` block says: safetensors only, never remote code. Raises AppError."""
    from transformers import AutoModelForCausalLM
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()
    arguments = loading(block)
    try:
        model: torch.nn.Module = AutoModelForCausalLM.from_pretrained(
            str(folder), local_files_only=True, use_safetensors=True, trust_remote_code=False, **arguments
        )
    except (OSError, ValueError, KeyError) as error:
        raise AppError("FTB547", f"the base model in {folder} does not load: {error}") from error
    except torch.OutOfMemoryError as error:
        raise AppError(
            "FTB554", "out of memory while the base model was loaded", "a smaller base model or more memory is needed"
        ) from error
    for module in model.modules():
        # On some CPUs bitsandbytes repacks 4-bit weights at the first pass in evaluation mode, for good, into a form
        # that has other values and no gradient.
        if hasattr(module, "support_avx512bf16_for_cpu"):
            setattr(module, "support_avx512bf16_for_cpu", False)  # noqa: B010  (it is no attribute of every module)
    if block["gradient_checkpointing"]:
        # Not re-entrant: the embeddings' output needs no gradient, and dropout masks are drawn again alike.
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})  # type: ignore[operator]
    return model


def as_held(weight: torch.Tensor, block: Mapping[str, Any]) -> torch.Tensor:
    """A linear layer's weight as the computation sees it: cast, and where the spec says so quantised and back."""
    weight = weight.to(device(), DTYPES[block["dtype"]])
    wanted = block.get("quantization")
    if wanted is None:
        return weight
    if wanted["bits"] == 8:
        raise AppError("FTB547", "DoRA does not work on 8-bit weights: their norms cannot be read", "use 4 bits")
    import bitsandbytes

    packed, state = bitsandbytes.functional.quantize_4bit(
        weight, quant_type=wanted["kind"], compress_statistics=wanted["double"]
    )
    held: torch.Tensor = bitsandbytes.functional.dequantize_4bit(packed, state)
    return held
