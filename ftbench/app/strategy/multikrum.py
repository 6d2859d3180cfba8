"""MultiKrum (Blanchard et al., NeurIPS 2017, section 4): the plain mean of the `keep` replies with the least scores.

A reply's score is the sum of its squared distances to the n − byzantine − 2 others nearest to it, over the whole
adapter. Replies are not weighted.
"""

from __future__ import annotations

import numpy

from ..arrays import Arrays
from . import base
from .mean import Weighted
from .robust import nearest, stacked


class Strategy(base.Strategy):
    """The mean of the replies that lie closest together."""

    parameters = frozenset({"byzantine", "keep"})
    whole = parameters

    def aggregate(self, current: Arrays, replies: Weighted, state: Arrays | None) -> tuple[Arrays, Arrays | None]:
        """Computed in float64. Keeps no state. Raises ValueError where there are too few replies."""
        places = nearest(replies, list(current), int(self.block["byzantine"]), int(self.block["keep"]))
        kept = [replies[place] for place in places]
        return {name: stacked(kept, name).mean(axis=0).astype(numpy.float32) for name in current}, None
