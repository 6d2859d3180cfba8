"""Which of a model's linear layers get an adapter."""

from __future__ import annotations

from collections.abc import Iterable

import torch

from .errors import AppError

GROUPS: dict[str, frozenset[str]] = {
    "attention": frozenset({"q_proj", "k_proj", "v_proj", "o_proj", "qkv_proj"}),
    "mlp": frozenset({"gate_proj", "up_proj", "down_proj", "gate_up_proj"}),
}
"""Group → names of its linear layers: Llama, Mistral, Qwen 2, Gemma 2 and SmolLM 2 have the single ones, Phi 3 and 4
the joined ones. A model has those of its family; the others do not occur in it."""


def resolve(targets: str | list[str], model: torch.nn.Module) -> str | list[str]:
    """`all-linear`, or module names in one order: peft makes sets of lists, whose order follows PYTHONHASHSEED.

    Raises AppError where a group has no layer in this model.
    """
    if targets == "all-linear":
        return targets
    if isinstance(targets, list):
        return sorted(set(targets))
    linear = (name for name, module in model.named_modules() if isinstance(module, torch.nn.Linear))
    return _names(targets, linear)


def of_tensors(targets: str | list[str], tensors: Iterable[str]) -> str | list[str]:
    """The same, read off an adapter's tensor names."""
    if targets == "all-linear":
        return targets
    if isinstance(targets, list):
        return sorted(set(targets))
    return _names(targets, (name.partition(".lora_")[0] for name in tensors))


def _names(group: str, modules: Iterable[str]) -> list[str]:
    found = {name.rpartition(".")[2] for name in modules} & GROUPS[group]
    if not found:
        raise AppError(
            "FTB547", f"the base model has no layer of the group `{group}`", "name its modules in adapter.targets"
        )
    return sorted(found)
