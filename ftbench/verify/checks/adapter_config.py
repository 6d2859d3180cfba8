"""The adapter's configuration is the one that the entry implies, so that whoever loads it gets what was run."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ftbench.result import adapter
from ftbench.spec.canonical import canonical
from ftbench.spec.entry import ResolvedEntry
from ftbench.spec.model import Adapter
from ftbench.verify import adapters
from ftbench.verify.check import Check, Failure, judge
from ftbench.verify.context import Context
from ftbench.verify.targets import names


def run(context: Context) -> str | Failure:
    """Every key, and no other: a stray key may make peft do something else."""
    modules, _ = adapter.factors(context.tensors)
    due = expected(adapters.finished(context), context.entry, modules)
    told = context.documents.adapter_config
    if not isinstance(told, dict):
        return Failure("it is not an object")
    problems = [
        f"`{key}` is {_show(told, key)}, due is {_show(due, key)}"
        for key in sorted({*due, *told})
        if key not in due or key not in told or canonical(told[key]) != canonical(due[key])
    ]
    return judge(problems, f"{len(due)} keys as the entry implies")


def expected(block: Adapter, entry: ResolvedEntry, modules: Iterable[str]) -> dict[str, Any]:
    """The configuration for peft. A group of targets stands there as the names of its layers in this adapter."""
    if isinstance(block.targets, list):
        targets: str | list[str] = sorted(set(block.targets))
    elif block.targets == "all-linear":
        targets = "all-linear"
    else:
        targets = sorted({module.rpartition(".")[2] for module in modules} & set(names(block.targets)))
    config: dict[str, Any] = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "r": block.rank,
        "lora_alpha": block.alpha,
        "lora_dropout": block.dropout,
        "target_modules": targets,
        "bias": "none",
        "base_model_name_or_path": entry.model.name,
        "revision": entry.model.revision,
        "inference_mode": True,
    }
    return {**config, "use_dora": True} if block.kind == "dora" else config


def _show(config: dict[str, Any], key: str) -> str:
    return repr(config[key])[:60] if key in config else "not there"


CHECK = Check("adapter-config", "CONFORMS", "FTB648", "the adapter's configuration is what the entry implies", run)
