"""The adapter's configuration is the one that the entry implies, so that whoever loads it gets what was run."""

from __future__ import annotations

from typing import Any

from ftbench.spec.canonical import canonical
from ftbench.spec.entry import ResolvedEntry
from ftbench.spec.model import Lora
from ftbench.verify.check import Check, Failure, judge
from ftbench.verify.context import Context


def run(context: Context) -> str | Failure:
    """Every key, and no other: a stray key may make peft do something else."""
    due = expected(context.in_force.adapter, context.entry)
    told = context.documents.adapter_config
    if not isinstance(told, dict):
        return Failure("it is not an object")
    problems = [
        f"`{key}` is {_show(told, key)}, due is {_show(due, key)}"
        for key in sorted({*due, *told})
        if key not in due or key not in told or canonical(told[key]) != canonical(due[key])
    ]
    return judge(problems, f"{len(due)} keys as the entry implies")


def expected(block: Lora, entry: ResolvedEntry) -> dict[str, Any]:
    """The configuration for peft."""
    return {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "r": block.rank,
        "lora_alpha": block.alpha,
        "lora_dropout": block.dropout,
        "target_modules": block.targets if isinstance(block.targets, str) else sorted(set(block.targets)),
        "bias": "none",
        "base_model_name_or_path": entry.model.name,
        "revision": entry.model.revision,
        "inference_mode": True,
    }


def _show(config: dict[str, Any], key: str) -> str:
    return repr(config[key])[:60] if key in config else "not there"


CHECK = Check("adapter-config", "CONFORMS", "FTB648", "the adapter's configuration is what the entry implies", run)
