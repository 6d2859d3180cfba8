"""Krum (Blanchard et al., NeurIPS 2017, section 4): the one reply with the least score becomes the global adapter.

A reply's score is the sum of its squared distances to the n − byzantine − 2 others nearest to it, over the whole
adapter. Replies are not weighted.
"""

from __future__ import annotations

import numpy

from ..arrays import Arrays
from . import base
from .mean import Weighted
from .robust import nearest


class Strategy(base.Strategy):
    """The reply that lies closest to the others."""

    parameters = frozenset({"byzantine"})
    whole = parameters

    def aggregate(self, current: Arrays, replies: Weighted, state: Arrays | None) -> tuple[Arrays, Arrays | None]:
        """Its very values. Keeps no state. Raises ValueError where there are too few replies."""
        (place,) = nearest(replies, list(current), int(self.block["byzantine"]), 1)
        return {name: numpy.array(replies[place][1][name], dtype=numpy.float32) for name in current}, None
