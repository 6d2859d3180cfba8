"""A spec's conditions as a setting to estimate."""

from __future__ import annotations

import math

from ftbench.models.estimate import Setting
from ftbench.models.weights import Bits
from ftbench.spec.model import Spec


def setting(
    spec: Spec,
    *,
    micro_batch: int | None = None,
    bits: Bits | None = None,
    double_quant: bool = False,
    gradient_checkpointing: bool = False,
) -> Setting:
    """The setting of `spec`, whose knobs are already in force; what is given besides stands in for the spec's own.

    Without `micro_batch` the whole batch is one forward pass.
    """
    federation = spec.federation
    return Setting(
        kind=spec.adapter.kind,
        rank=spec.adapter.rank,
        targets=spec.adapter.targets,
        clients_per_round=max(1, math.floor(federation.sampling.fraction * federation.clients + 0.5)),
        rounds=federation.rounds,
        sequence_length=spec.training.sequence_length,
        micro_batch=min(micro_batch or spec.training.batch_size, spec.training.batch_size),
        bits=bits or 32,  # the one precision that a spec can ask for (`model.dtype: float32`)
        double_quant=double_quant,
        dropout=spec.adapter.dropout,
        gradient_checkpointing=gradient_checkpointing,
        budget_mib=spec.budget.communication_mib,
        max_trainable=spec.budget.trainable_parameters,
        max_parameters=spec.model.max_parameters,
    )
