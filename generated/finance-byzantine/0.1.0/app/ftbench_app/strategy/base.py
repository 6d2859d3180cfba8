"""What a strategy is: where it differs from federated averaging, on the server and at the clients.

Each kind is one module with one class `Strategy`, derived from this one; every method's default is FedAvg's. An object
is made anew from the spec wherever it is needed and keeps nothing: what lives from round to round is the server's own
state and the clients', which the run keeps as files.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..arrays import Arrays, elements
from .mean import Weighted, means

if TYPE_CHECKING:
    import torch

    from ..training import Outcome, Recipe


class Strategy:
    """Federated averaging of whatever is trained. All arrays are float32."""

    parameters: frozenset[str] = frozenset()
    """Fields of the spec's `strategy` block that it uses; all of them have a value then, and no others."""
    whole: frozenset[str] = frozenset()
    """Those of them that are whole numbers."""
    mixes_ranks = False
    """Whether it can combine factors of different ranks."""
    keeps_client_state = False
    """Whether a client keeps anything from one of its rounds to the next."""
    changes_add_up = True
    """Whether replies are changes of the same arrays, so that what coding one loses may be added to the next."""

    needs_mean_alone = False
    """Whether `aggregate` asks for nothing but the weighted mean of the replies and their weight in all. It is then
    handed one reply where that saves memory: their mean in float64, with the sum of their weights."""

    def __init__(self, block: Mapping[str, Any], adapter: Mapping[str, Any], sizes: Sequence[int] = ()) -> None:
        """`block`, `adapter`: the spec's `strategy` and `adapter` in force; `sizes`: rows of every client."""
        self.block = block
        self.adapter = adapter
        self.sizes = sizes

    # --- on the server ---

    def trainable(self, drawn: Arrays) -> int:
        """Parameters that a client trains, where `drawn` is the run's initial adapter."""
        return elements(drawn)

    def start(self, drawn: Arrays) -> Arrays:
        """The global adapter before the first round."""
        return drawn

    def described(self, arrays: Arrays) -> dict[str, Any]:
        """The adapter block that a finished global adapter is loaded by."""
        return dict(self.adapter)

    def outgoing(self, current: Arrays, state: Arrays | None, partition: int) -> Arrays:
        """What the client with that partition is sent: the global adapter."""
        return current

    def awaited(self, current: Arrays, partition: int) -> Arrays:
        """Arrays whose names and shapes its reply must have, with the global values where there are any.

        A reply counts as a change from these. At a client `current` is what it received.
        """
        return current

    def aggregate(self, current: Arrays, replies: Weighted, state: Arrays | None) -> tuple[Arrays, Arrays | None]:
        """The next global adapter and the server's next state, from the replies in partition order.

        Sums are taken in float64 in the order given and rounded once to float32. A reply's arrays may lie on disk and
        are read one tensor at a time: go through them by tensor, never collect whole replies.
        """
        return means(replies, current), None

    # --- at a client ---

    def begin(self, received: Arrays, drawn: Callable[[], Arrays]) -> Arrays:
        """The adapter that training begins from. `drawn()` is the run's initial adapter, the same everywhere."""
        return received

    def around(self, net: torch.nn.Module, received: Arrays) -> contextlib.AbstractContextManager[object]:
        """What holds for the model while it trains or is evaluated, beside its adapter: nothing."""
        return contextlib.nullcontext()

    def recipe(self, recipe: Recipe, received: Arrays, state: Arrays | None) -> Recipe:
        """What every step of this client's round has in common. `state`: this client's own, None before its first."""
        return recipe

    def reply(
        self, received: Arrays, trained: Arrays, outcome: Outcome, state: Arrays | None
    ) -> tuple[Arrays, Arrays | None]:
        """What is sent back, and the client's next state."""
        return trained, None
