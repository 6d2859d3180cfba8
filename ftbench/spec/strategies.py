"""Which parameters a kind of strategy uses."""

from __future__ import annotations

from typing import Any

from ftbench.spec.model import Spec

BLOCK = "strategy"
KIND = "strategy.kind"
"""Path of the kind."""

PARAMETERS: dict[str, tuple[str, ...]] = {
    "fedavg": (),
    "fedprox": ("mu",),
    "fedavgm": ("server_learning_rate", "momentum"),
    "fedadam": ("server_learning_rate", "beta1", "beta2", "tau"),
    "fedyogi": ("server_learning_rate", "beta1", "beta2", "tau"),
    "fedadagrad": ("server_learning_rate", "tau"),
    "scaffold": ("server_learning_rate",),
    "ffa-lora": (),
    "flexlora": (),
    "flora": (),
    "fedmedian": (),
    "fedtrimmedavg": ("trim",),
    "krum": ("byzantine",),
    "multikrum": ("byzantine", "keep"),
}
"""Kind of strategy → the parameters that it uses. All of them must be given; any other must be null."""

EVERY: tuple[str, ...] = tuple(dict.fromkeys(name for names in PARAMETERS.values() for name in names))
"""All parameters of strategies."""

PATHS: tuple[str, ...] = tuple(f"{BLOCK}.{name}" for name in EVERY)
"""Their paths."""


def uses(kind: object, parameter: str) -> bool:
    """Whether a strategy of this kind has the parameter."""
    return isinstance(kind, str) and parameter in PARAMETERS.get(kind, ())


def idle(kind: object, path: str) -> bool:
    """Whether `path` is a parameter that a strategy of this kind does not use, so that null is its only value."""
    return path in PATHS and not uses(kind, path.rpartition(".")[2])


def rest(spec: Spec, kind: object, plain: dict[str, Any], chosen: set[str]) -> None:
    """Set parameters that `kind` does not use to null in `plain`, a spec as JSON, unless they were chosen."""
    if kind == spec.strategy.kind:
        return
    for name in EVERY:
        if not uses(kind, name) and f"{BLOCK}.{name}" not in chosen:
            plain[BLOCK][name] = None
