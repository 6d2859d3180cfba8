"""FFA-LoRA (Sun et al., arXiv 2403.12313): A stays as it was drawn, B alone is trained, sent and averaged.

With one A for everyone the mean of the products B A is the product of the mean B with A, so the mean of the clients'
weights is what the server has. Clients draw A themselves from the run's seed: half of FedAvg's parameters are trained
and about half of its bytes travel (by layer out / (in + out)).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from ..arrays import Arrays, elements, ordered
from . import base
from .factors import A, B
from .mean import Weighted, means

if TYPE_CHECKING:
    from ..training import Outcome, Recipe


class Strategy(base.Strategy):
    """The mean of B beside an A that never moves. Keeps no state."""

    needs_mean_alone = True

    def trainable(self, drawn: Arrays) -> int:
        """All but A."""
        return elements(moving(drawn))

    def outgoing(self, current: Arrays, state: Arrays | None, partition: int) -> Arrays:
        """All but A, which every client draws itself."""
        return moving(current)

    def awaited(self, current: Arrays, partition: int) -> Arrays:
        """All but A."""
        return moving(current)

    def aggregate(self, current: Arrays, replies: Weighted, state: Arrays | None) -> tuple[Arrays, Arrays | None]:
        """The means of what moves, beside the same A."""
        return ordered({**current, **means(replies, moving(current))}), None

    def begin(self, received: Arrays, drawn: Callable[[], Arrays]) -> Arrays:
        """A as it was drawn, with what was sent."""
        return ordered({**drawn(), **received})

    def recipe(self, recipe: Recipe, received: Arrays, state: Arrays | None) -> Recipe:
        """With A held."""
        # B's names tell A's: every adapted layer has both.
        held = frozenset(name.removesuffix(B) + A for name in received if name.endswith(B))
        return replace(recipe, frozen=recipe.frozen | held)

    def reply(
        self, received: Arrays, trained: Arrays, outcome: Outcome, state: Arrays | None
    ) -> tuple[Arrays, Arrays | None]:
        """All but A. Keeps no state."""
        return moving(trained), None


def moving(arrays: Arrays) -> Arrays:
    """What is trained and sent: everything but A."""
    return {name: array for name, array in arrays.items() if not name.endswith(A)}
