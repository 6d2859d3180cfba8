"""FlexLoRA (Bai et al., arXiv 2402.11505): the weighted mean of the products B A, factored again by truncated SVD.

The mean of products is what averaging the clients' whole weights would give; the product of mean factors, as FedAvg
has it, is not. The scale alpha / rank is the same on both sides and drops out. Σ wₖ Bₖ Aₖ is the product of the factors
stacked side by side, so a QR of each stack and an SVD of the small middle give its SVD without ever forming it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy
import torch

from ..arrays import Arrays, ordered
from .mean import Exact, Weighted, means, shares

A, B = ".lora_A.weight", ".lora_B.weight"
"""Endings of the two factors' names: A is [rank, in], B is [out, rank]."""


def aggregate(
    block: Mapping[str, Any], current: Arrays, replies: Weighted, state: Arrays | None
) -> tuple[Arrays, Arrays | None]:
    """Factor pairs by SVD, every other tensor (DoRA's magnitudes) by its mean. Keeps no state."""
    weights = shares(replies)
    new = means(replies, [name for name in current if not name.endswith((A, B))])
    for module in sorted(name.removesuffix(A) for name in current if name.endswith(A)):
        pairs = [
            (weight, arrays[module + B], arrays[module + A])
            for weight, (_, arrays) in zip(weights, replies, strict=True)
        ]
        down = numpy.concatenate([a.astype(numpy.float64) for _, _, a in pairs], axis=0)
        up = numpy.concatenate([b.astype(numpy.float64) * weight for weight, b, _ in pairs], axis=1)
        b, a = factor(up, down, current[module + A].shape[0])
        new[module + A], new[module + B] = a.astype(numpy.float32), b.astype(numpy.float32)
    return ordered(new), None


def factor(up: Exact, down: Exact, rank: int) -> tuple[Exact, Exact]:
    """B = U Σ and A = Vᵀ of the best approximation of `up @ down` that has this rank.

    A's rows have length 1, near that of fresh ones, and none is zero, so that every direction can still be learnt; all
    magnitude is in B, which begins at zero as well. Sign: the largest entry of each row of A, the first of equals, is
    positive. Rows beyond what the module's own size allows are zero. Uses torch, whose number of threads is fixed.
    """
    left, middle_left = torch.linalg.qr(torch.from_numpy(up))
    right, middle_right = torch.linalg.qr(torch.from_numpy(numpy.ascontiguousarray(down.T)))
    u, sigma, vh = torch.linalg.svd(middle_left @ middle_right.T, full_matrices=False)
    count = min(rank, len(sigma))
    a: Exact = (vh[:count] @ right.T).numpy()
    b: Exact = (left @ u[:, :count] * sigma[:count]).numpy()
    largest = numpy.abs(a).argmax(axis=1)
    sign = numpy.where(a[numpy.arange(count), largest] < 0, -1.0, 1.0)
    a, b = a * sign[:, None], b * sign
    if count < rank:
        a = numpy.concatenate([a, numpy.zeros((rank - count, a.shape[1]))], axis=0)
        b = numpy.concatenate([b, numpy.zeros((b.shape[0], rank - count))], axis=1)
    return b, a
