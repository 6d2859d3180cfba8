"""The tokenizer, and the adapter on a model as named float32 arrays."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy
import torch

from . import seeding, targets
from .arrays import Arrays, ordered
from .errors import AppError

ADAPTER_NAME = re.compile(r"\.(?:(lora_[AB])\.default(\.weight)|(lora_magnitude_vector)\.default\.weight)$")
"""The end of a parameter's name in the model: `default` is peft's name of the adapter, which its files leave out."""


def go_offline() -> None:
    """Nothing is ever fetched while training, whatever the machine's settings say. To be called before any load."""
    os.environ["HF_HUB_OFFLINE"] = "1"
    os.environ["TRANSFORMERS_OFFLINE"] = "1"
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")


def load_tokenizer(folder: Path) -> Any:
    """The base model's tokenizer, from local files."""
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(str(folder), local_files_only=True, trust_remote_code=False)
    except (OSError, ValueError, KeyError) as error:
        raise AppError("FTB547", f"the tokenizer in {folder} does not load: {error}") from error


def attach(base: torch.nn.Module, adapter: Mapping[str, Any], seed: int) -> torch.nn.Module:
    """Put the adapter on the base model, its initial values drawn from `seed`, trained in float32."""
    from peft import LoraConfig, TaskType, get_peft_model

    if adapter["kind"] not in ("lora", "dora"):
        raise ValueError(f"unknown adapter {adapter['kind']!r}")
    config = LoraConfig(
        task_type=TaskType.CAUSAL_LM,
        r=int(adapter["rank"]),
        lora_alpha=adapter["alpha"],
        lora_dropout=float(adapter["dropout"]),
        target_modules=targets.resolve(adapter["targets"], base),
        use_dora=adapter["kind"] == "dora",
        bias="none",
    )
    seeding.seed_everything(seed)
    try:
        model: torch.nn.Module = get_peft_model(base, config)
    except ValueError as error:
        raise AppError(
            "FTB547", f"the adapter does not fit the base model: {error}", "change adapter.targets"
        ) from error
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.float()
    return model


def trainable(model: torch.nn.Module) -> dict[str, torch.nn.Parameter]:
    """The parameters that are trained, under the names that their arrays have in `get_arrays`."""
    named = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
    return {ADAPTER_NAME.sub(r".\1\3\2", name): parameter for name, parameter in named.items()}


def get_arrays(model: torch.nn.Module) -> Arrays:
    """The adapter's tensors under peft's names, sorted, as float32 copies."""
    from peft import get_peft_model_state_dict

    state = get_peft_model_state_dict(model)
    return ordered({name: numpy.array(t.detach().cpu().numpy(), dtype=numpy.float32) for name, t in state.items()})


def set_arrays(model: torch.nn.Module, arrays: Arrays) -> None:
    """Put the arrays into the adapter. Every tensor must be given: nothing of an earlier client may stay."""
    from peft import get_peft_model_state_dict, set_peft_model_state_dict

    if get_peft_model_state_dict(model).keys() != arrays.keys():
        raise AppError("FTB555", "the adapter received is not the one that this client trains")
    result = set_peft_model_state_dict(model, {name: torch.from_numpy(a.copy()) for name, a in arrays.items()})
    if result.unexpected_keys:
        raise AppError("FTB555", f"the adapter received has unknown tensors: {result.unexpected_keys[:3]}")
