"""The finished adapter as the two files that peft loads."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors.numpy import save

from .arrays import Arrays, ordered
from .files import write_atomic


def config_bytes(adapter: Mapping[str, Any], model: Mapping[str, str]) -> bytes:
    """Our own minimal peft configuration: the same bytes for the same adapter block and base model."""
    targets = adapter["targets"]
    config = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": model["name"],
        "revision": model["revision"],
        "r": adapter["rank"],
        "lora_alpha": adapter["alpha"],
        "lora_dropout": adapter["dropout"],
        "target_modules": targets if isinstance(targets, str) else sorted(set(targets)),
        "bias": "none",
        "inference_mode": True,
    }
    return json.dumps(config, indent=2, sort_keys=True, ensure_ascii=False).encode() + b"\n"


def write(folder: Path, adapter: Mapping[str, Any], model: Mapping[str, str], arrays: Arrays) -> None:
    """Write `adapter_config.json` and `adapter_model.safetensors`."""
    write_atomic(folder / "adapter_model.safetensors", save(ordered(arrays)))
    write_atomic(folder / "adapter_config.json", config_bytes(adapter, model))
