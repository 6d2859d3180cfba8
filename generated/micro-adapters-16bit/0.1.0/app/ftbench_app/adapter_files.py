"""The finished adapter as the two files that peft loads."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from safetensors.numpy import save

from . import targets
from .arrays import Arrays, ordered
from .files import write_atomic


def config_bytes(adapter: Mapping[str, Any], model: Mapping[str, str], tensors: Iterable[str] = ()) -> bytes:
    """Our own minimal peft configuration: the same bytes for the same adapter block and base model.

    A group of targets is written as the modules' names, which are read off the adapter's tensor names.
    """
    config = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": model["name"],
        "revision": model["revision"],
        "r": adapter["rank"],
        "lora_alpha": adapter["alpha"],
        "lora_dropout": adapter["dropout"],
        "target_modules": targets.of_tensors(adapter["targets"], tensors),
        "bias": "none",
        "inference_mode": True,
    }
    if adapter["kind"] == "dora":
        config["use_dora"] = True
    return json.dumps(config, indent=2, sort_keys=True, ensure_ascii=False).encode() + b"\n"


def write(folder: Path, adapter: Mapping[str, Any], model: Mapping[str, str], arrays: Arrays) -> None:
    """Write `adapter_config.json` and `adapter_model.safetensors`."""
    write_atomic(folder / "adapter_model.safetensors", save(ordered(arrays)))
    write_atomic(folder / "adapter_config.json", config_bytes(adapter, model, arrays))
