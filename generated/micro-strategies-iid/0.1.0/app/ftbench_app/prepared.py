"""What a process makes of a loaded model so that a step takes few operators; what it cannot, it says."""

from __future__ import annotations

import contextlib
import weakref
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch

from . import attention, head, layers, norms


@dataclass(frozen=True)
class Prepared:
    """What of a model is ours."""

    head: head.Head | None
    """None: the model's own logits, of every token."""
    unmasked: bool
    """Whether it is given no attention mask."""


PLAIN = Prepared(None, False)
"""A model as it came."""
_known: weakref.WeakKeyDictionary[torch.nn.Module, Prepared] = weakref.WeakKeyDictionary()
_given: weakref.WeakKeyDictionary[torch.nn.Module, torch.Tensor] = weakref.WeakKeyDictionary()


def of(model: torch.nn.Module) -> Prepared:
    """What was made of the model."""
    return _known.get(model, PLAIN)


def prepare(model: torch.nn.Module, *, any_family: bool = False) -> str:
    """Put our adapter layers, head and attention into peft's model, on the device on which it stays.

    Returns why it stays as it is, for the log, or an empty text. `any_family`: whether no test need cover it.
    """
    if why := layers.install(model, any_family=any_family):
        return why
    base: Any = model.get_base_model()  # type: ignore[operator]
    if checkpointed(base):
        _checkpoint(base, any(layer.dropout for layer in layers.known(model).every))
    norms.install(base)
    _known[model] = Prepared(head.find(base), attention.install(base))
    return ""


def checkpointed(base: torch.nn.Module) -> bool:
    """Whether layers are computed again in the backward pass."""
    return any(getattr(module, "gradient_checkpointing", False) for module in base.modules())


def _checkpoint(base: Any, random: bool) -> None:
    """Layers are computed again as they were, with the random state put back only where it is drawn from."""
    settings = {"use_reentrant": False, "preserve_rng_state": random, "determinism_check": "none"}
    base.gradient_checkpointing_enable(gradient_checkpointing_kwargs=settings)


def hidden(model: torch.nn.Module, ids: torch.Tensor, **more: torch.Tensor) -> torch.Tensor:
    """The last hidden states [rows, length, width] of a prepared model."""
    if model in _given:
        return _given[model]
    base: Any = model.get_base_model()  # type: ignore[operator]
    _adapter_up_to_date(model)
    backbone = getattr(base, base.base_model_prefix)
    found: torch.Tensor = backbone(input_ids=ids, use_cache=False, **more).last_hidden_state
    return found


@contextlib.contextmanager
def given(model: torch.nn.Module, states: torch.Tensor) -> Iterator[None]:
    """While it lasts these are the model's last hidden states, whatever it is asked."""
    _given[model] = states
    try:
        yield
    finally:
        del _given[model]


def _adapter_up_to_date(model: torch.nn.Module) -> None:
    found = layers.known(model)
    if not found.held:
        found.refresh()
