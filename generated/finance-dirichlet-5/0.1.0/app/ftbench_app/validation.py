"""The loss on the validation cut, by which a round may be chosen."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from .errors import AppError
from .tokens import Example
from .training import weighted_loss

BATCH = 4
"""Examples in one pass: fixed, so that the loss does not depend on the operator's micro-batch."""


def loss(model: torch.nn.Module, examples: Sequence[Example]) -> float:
    """Mean cross entropy, in nats, over all tokens that count; in the examples' order, dropout off.

    Raises AppError where it is not finite.
    """
    model.eval()
    sums = []
    with torch.no_grad():
        for start in range(0, len(examples), BATCH):
            part = examples[start : start + BATCH]
            sums.append(weighted_loss(model, part, [1.0] * len(part)).item())
    mean = math.fsum(sums) / sum(example.counted for example in examples)
    if not math.isfinite(mean):
        raise AppError("FTB555", "the loss on the validation cut is not finite")
    return mean
