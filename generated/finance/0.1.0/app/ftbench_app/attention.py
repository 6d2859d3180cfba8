"""Causal attention without a mask: examples are padded on the right, and a causal model never looks there.

transformers makes a mask from the attention mask it is given, and where it is given none looks into the positions of
every batch, which makes a device wait. A kernel registered under a name of its own is handed no mask at all; sliding
windows, which families have beside it, are the one thing left to mask.
"""

from __future__ import annotations

import functools
from typing import Any

import torch

NAME = "ftbench_causal"


def install(base: torch.nn.Module) -> bool:
    """Let the model use it in place of `sdpa`, which computes the same; whether it does. Batches for such a model are
    padded on the right, if at all."""
    from transformers import AttentionInterface

    config: Any = base.config
    if config._attn_implementation != "sdpa" or getattr(config, "attn_logit_softcapping", None):
        return False
    AttentionInterface.register(NAME, attend)
    base.set_attn_implementation(NAME)  # type: ignore[operator]
    return bool(config._attn_implementation == NAME)


def attend(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    **more: Any,
) -> tuple[torch.Tensor, None]:
    """As transformers' `sdpa`: [rows, heads, length, width] → [rows, length, heads, width]."""
    from transformers.integrations.sdpa_attention import sdpa_attention_forward

    window, length = more.get("sliding_window"), query.shape[2]
    if attention_mask is None and window is not None and length > window:
        attention_mask = _within(length, int(window), query.device)
    found: tuple[torch.Tensor, None] = sdpa_attention_forward(module, query, key, value, attention_mask, **more)
    return found


@functools.lru_cache(maxsize=64)
def _within(length: int, window: int, device: torch.device) -> torch.Tensor:
    """Which tokens [1, 1, to, from] are seen: the last `window` up to each."""
    place = torch.arange(length, device=device)
    apart = place[:, None] - place[None, :]
    return ((apart >= 0) & (apart < window))[None, None]
