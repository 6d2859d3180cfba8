"""FedMedian (Yin et al., arXiv 1803.01498, algorithm 1, option I): each coordinate is the replies' median.

Of an even number of replies it is the mean of the two in the middle. Replies are not weighted.
"""

from __future__ import annotations

import numpy

from ..arrays import Arrays
from . import base
from .mean import Weighted
from .robust import stacked


class Strategy(base.Strategy):
    """The coordinate-wise median."""

    def aggregate(self, current: Arrays, replies: Weighted, state: Arrays | None) -> tuple[Arrays, Arrays | None]:
        """Computed in float64. Keeps no state."""
        return {name: numpy.median(stacked(replies, name), axis=0).astype(numpy.float32) for name in current}, None
