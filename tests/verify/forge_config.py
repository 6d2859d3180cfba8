"""The adapter's configuration that a forged bundle has."""

from __future__ import annotations

from typing import Any

from ftbench.spec.entry import ResolvedEntry


def config(block: dict[str, Any], entry: ResolvedEntry) -> dict[str, Any]:
    """As the entry implies it."""
    made = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "r": block["rank"],
        "lora_alpha": block["alpha"],
        "lora_dropout": block["dropout"],
        "target_modules": block["targets"] if isinstance(block["targets"], str) else sorted(block["targets"]),
        "bias": "none",
        "base_model_name_or_path": entry.model.name,
        "revision": entry.model.revision,
        "inference_mode": True,
    }
    return made | {"use_dora": True} if block["kind"] == "dora" else made
