"""FedTrimmedAvg (Yin et al., arXiv 1803.01498, algorithm 1, option II): each coordinate is the replies' trimmed mean.

Of n replies the floor(trim × n) largest and as many of the smallest values are left out. Replies are not weighted.
"""

from __future__ import annotations

import numpy

from ..arrays import Arrays
from . import base
from .mean import Weighted
from .robust import stacked, trimmed_mean


class Strategy(base.Strategy):
    """The coordinate-wise mean without the extremes."""

    parameters = frozenset({"trim"})

    def aggregate(self, current: Arrays, replies: Weighted, state: Arrays | None) -> tuple[Arrays, Arrays | None]:
        """Computed in float64. Keeps no state."""
        trim = float(self.block["trim"])
        return {name: trimmed_mean(stacked(replies, name), trim).astype(numpy.float32) for name in current}, None
