"""FedProx (Li et al., arXiv 1812.06127): the server's part is FedAvg's, θ = Σ nₖ θₖ / Σ nₖ.

What makes it FedProx is at the clients, whose loss has the term (mu / 2) · ‖w − w_global‖² over the trained tensors.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from ..arrays import Arrays
from . import base

if TYPE_CHECKING:
    from ..training import Recipe


class Strategy(base.Strategy):
    """A proximal term in each client's loss."""

    parameters = frozenset({"mu"})
    needs_mean_alone = True

    def recipe(self, recipe: Recipe, received: Arrays, state: Arrays | None) -> Recipe:
        """With the term's weight."""
        return dataclasses.replace(recipe, proximal=float(self.block["mu"]))
