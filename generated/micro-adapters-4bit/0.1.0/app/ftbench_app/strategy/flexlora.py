"""FlexLoRA (Bai et al., arXiv 2402.11505): the weighted mean of the products B A, factored again by truncated SVD.

The mean of products is what averaging the clients' whole weights would give; the product of mean factors, as FedAvg
has it, is not. The scale alpha / rank is the same on both sides and drops out. Σ wₖ Bₖ Aₖ is the product of the factors
stacked side by side, so a QR of each stack and an SVD of the small middle give its SVD without ever forming it.

Clients may have factors of different ranks (`adapter.client_ranks`). A client of rank r is sent the r strongest
directions and trains these; the scale is everyone's alpha / rank with the server's rank, so the products add up. While
it trains, the factors are filled up with zeros to the server's rank: zeros in both get no gradient and stay zero.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy
import torch

from ..arrays import Arrays, elements, ordered
from . import base
from .factors import A, B, fitted, modules
from .mean import Exact, Weighted, means, shares

if TYPE_CHECKING:
    from ..training import Outcome


class Strategy(base.Strategy):
    """The mean of products, factored again. Keeps no state."""

    mixes_ranks = True

    def rank_of(self, partition: int) -> int:
        """The rank that the client with that partition trains."""
        ranks = self.adapter.get("client_ranks") or [self.adapter["rank"]]
        return int(ranks[partition % len(ranks)])

    def trainable(self, drawn: Arrays) -> int:
        """Of the client that trains most."""
        return elements(fitted(drawn, max(self.adapter.get("client_ranks") or [self.adapter["rank"]])))

    def outgoing(self, current: Arrays, state: Arrays | None, partition: int) -> Arrays:
        """The strongest directions: the server's own are in the order of their singular values."""
        return fitted(current, self.rank_of(partition))

    def awaited(self, current: Arrays, partition: int) -> Arrays:
        """Factors of the rank that this client trains."""
        return fitted(current, self.rank_of(partition))

    def aggregate(self, current: Arrays, replies: Weighted, state: Arrays | None) -> tuple[Arrays, Arrays | None]:
        """Factor pairs by SVD, every other tensor (DoRA's magnitudes) by its mean."""
        weights = shares(replies)
        new = means(replies, [name for name in current if not name.endswith((A, B))])
        for module in modules(current):
            pairs = [
                (weight, arrays[module + B], arrays[module + A])
                for weight, (_, arrays) in zip(weights, replies, strict=True)
            ]
            down = numpy.concatenate([a.astype(numpy.float64) for _, _, a in pairs], axis=0)
            up = numpy.concatenate([b.astype(numpy.float64) * weight for weight, b, _ in pairs], axis=1)
            b, a = factor(up, down, current[module + A].shape[0])
            count = min(*up.shape, down.shape[1])
            # Fewer directions than the server's rank came back: the others begin where they were, with B zero.
            a[count:] = current[module + A][count:]
            new[module + A], new[module + B] = a.astype(numpy.float32), b.astype(numpy.float32)
        return ordered(new), None

    def begin(self, received: Arrays, drawn: Callable[[], Arrays]) -> Arrays:
        """Filled up with zeros to the server's rank."""
        return fitted(received, int(self.adapter["rank"]))

    def reply(
        self, received: Arrays, trained: Arrays, outcome: Outcome, state: Arrays | None
    ) -> tuple[Arrays, Arrays | None]:
        """Cut to the rank that was sent. Keeps no state."""
        return fitted(trained, next(array.shape[0] for name, array in received.items() if name.endswith(A))), None


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
