"""Disk that a run will fill with adapters: one state a round and reference, and what servers and clients keep."""

from __future__ import annotations

import json
import math

from ftbench.result.references import due_references
from ftbench.spec.model import Spec
from ftbench.spec.outline import Outline
from ftbench.spec.strategies import STRATEGIES

NO_ADAPTER = ("embed", "lm_head", "wte", "wpe")
"""Parts of names of matrices that get no adapter."""
GROUPS = {"attention": ("attn", "attention"), "mlp": ("mlp", "feed_forward", "ffn")}
"""Words for targets → what names of such layers hold."""


def state_bytes(spec: Spec, outline: Outline, *, rounds: int | None = None) -> int:
    """About how much the adapters of a run come to on disk; `spec`: with the entry's knobs in force, `rounds`: of a run
    that takes fewer. 0 where the model's layers cannot be read: then nothing is known.

    Every round's adapter is kept in float32, in every reference too. FLoRA's holds what all replies so far brought.
    """
    one = 4 * elements(spec, outline)
    federation, record = spec.federation, STRATEGIES[spec.strategy.kind]
    count = rounds or federation.rounds
    sampled = max(1, math.floor(federation.sampling.fraction * federation.clients + 0.5))
    states = sampled * count * (count + 1) // 2 if record.growing else count + 1
    references = due_references(spec)
    kept = 2 if record.server_keeps != "nothing" or record.variates else 0
    kept += federation.clients if record.client_keeps or spec.transport.up != "float32" else 0
    return one * (states + kept + len(references) * (count + 1))


def elements(spec: Spec, outline: Outline) -> int:
    """Elements of an adapter, by the matrices in the model's files: an estimate, as names alone say what they are."""
    adapter, found = spec.adapter, 0
    for header in outline.headers.values():
        for name, tensor in json.loads(header).items():
            shape = tensor.get("shape", []) if isinstance(tensor, dict) else []
            if len(shape) == 2 and name.endswith(".weight") and _adapted(name.removesuffix(".weight"), adapter.targets):
                found += adapter.rank * (shape[0] + shape[1]) + (shape[0] if adapter.kind == "dora" else 0)
    return found


def _adapted(name: str, targets: str | list[str]) -> bool:
    if any(part in name for part in NO_ADAPTER):
        return False
    if isinstance(targets, str):
        return targets == "all-linear" or any(word in name for word in GROUPS[targets])
    return any(name == target or name.endswith(f".{target}") for target in targets)
