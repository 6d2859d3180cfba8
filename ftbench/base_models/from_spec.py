"""A spec's conditions as a setting to estimate."""

from __future__ import annotations

import math

from ftbench.base_models.estimate import Setting
from ftbench.base_models.weights import Bits
from ftbench.spec import ranks
from ftbench.spec.model import AdamW, Model, Spec


def setting(
    spec: Spec,
    *,
    micro_batch: int | None = None,
    bits: Bits | None = None,
    double_quant: bool = False,
    gradient_checkpointing: bool = False,
    clients_at_once: int = 1,
) -> Setting:
    """The setting of `spec`, whose knobs are already in force; what is given besides stands in for the spec's own.

    Without `micro_batch` the whole batch is one forward pass. FlashAttention-2 counts as SDPA: neither keeps scores.
    """
    federation, model = spec.federation, spec.model
    sampled = max(1, math.floor(federation.sampling.fraction * federation.clients + 0.5))
    held = bits or weight_bits(model)
    sequences = 2 if spec.objective.kind == "dpo" else 1  # both answers of a pair go through the model in one pass
    double = double_quant or bool(model.quantization and model.quantization.double)
    return Setting(
        kind=spec.adapter.kind,
        rank=spec.adapter.rank,
        targets=spec.adapter.targets,
        clients_per_round=sampled,
        clients_at_once=min(clients_at_once, sampled),
        rounds=federation.rounds,
        sequence_length=spec.training.sequence_length,
        micro_batch=sequences * min(micro_batch or spec.training.batch_size, spec.training.batch_size),
        bits=held,
        double_quant=double and held == 4,
        dropout=spec.adapter.dropout,
        gradient_checkpointing=gradient_checkpointing or model.gradient_checkpointing,
        attention="eager" if model.attention == "eager" else "sdpa",
        strategy=spec.strategy.kind,
        moments=2 if isinstance(spec.training.optimizer, AdamW) else int(spec.training.optimizer.momentum > 0),
        moment_bits=8 if getattr(spec.training.optimizer, "moments", None) == "paged-8bit" else 32,
        transport=spec.transport,
        client_ranks=ranks.of_clients(spec.adapter, federation.clients) if spec.adapter.client_ranks else (),
        budget_mib=spec.budget.communication_mib,
        max_trainable=spec.budget.trainable_parameters,
        max_parameters=model.max_parameters,
    )


def weight_bits(model: Model) -> Bits:
    """Bits of the frozen weights that the spec asks for."""
    if model.quantization is not None:
        return model.quantization.bits
    return 16 if model.dtype == "bfloat16" else 32
