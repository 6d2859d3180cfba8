"""The verifier's own reading of `adapter.targets`."""

from __future__ import annotations

GROUPS = {
    "attention": ("k_proj", "o_proj", "q_proj", "qkv_proj", "v_proj"),
    "mlp": ("down_proj", "gate_proj", "gate_up_proj", "up_proj"),
}
"""Group → names of linear layers; a model has those of its family."""


def names(targets: str | list[str]) -> list[str]:
    """Module names that a group or list may mean; none for `all-linear`."""
    return list(GROUPS.get(targets, ())) if isinstance(targets, str) else list(targets)


def is_target(module: str, targets: str | list[str]) -> bool:
    """Whether a linear layer gets an adapter."""
    if targets == "all-linear":
        return True
    return any(module == name or module.endswith("." + name) for name in names(targets))
