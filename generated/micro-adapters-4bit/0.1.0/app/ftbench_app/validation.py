"""The loss on the validation cut, by which a round may be chosen."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch

from . import layers
from . import objective as objectives
from .errors import AppError
from .objective import Objective

BATCH = 4
"""Examples in one pass: fixed, so that the loss does not depend on the operator's micro-batch."""


def loss(model: torch.nn.Module, examples: Sequence[Any], objective: Objective) -> float:
    """Mean of the objective, over all tokens that count or over all pairs; in the examples' order, dropout off.

    Raises AppError where it is not finite.
    """
    model.eval()
    sums = []
    with torch.no_grad(), layers.holding(model):
        for start in range(0, len(examples), BATCH):
            part = examples[start : start + BATCH]
            sums.append(objectives.loss(objective, model, part, [1.0] * len(part))[0].item())
    mean = math.fsum(sums) / sum(objective.units(example) for example in examples)
    if not math.isfinite(mean):
        raise AppError("FTB555", "the loss on the validation cut is not finite")
    return mean
