"""SCAFFOLD (Karimireddy et al., arXiv 1910.06378, algorithm 1): control variates take the drift out of clients' steps.

The server keeps c, client k keeps cₖ, both like the adapter and zero at first. The server sends θ and c. The client
adds c − cₖ to the gradient of each batch; its new cₖ is the mean of the round's own batch gradients, without what was
added. It sends back its adapter and the change of cₖ. With shares pₖ, client k's rows over those of all clients,

    θ ← θ + server_learning_rate · (Σ nₖ θₖ / Σ nₖ − θ)      c ← c + Σ pₖ · (change of cₖ)

both sums over the round's replies. Where all clients hold equally many rows these are the paper's means, with
c ← c + |S| / N · mean; where they do not, c stays Σ pₖ cₖ over all clients, and the fixed point is that of FedAvg's
objective. The new cₖ is option II of the paper wherever a local step is learning rate × gradient (`sgd` without
momentum, decay or clipping): there (θ − θₖ) / (steps · learning rate) is the mean of what was applied. Another
optimiser's steps are no gradients; cₖ is a mean gradient all the same, and the correction goes into what it is given.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy

from ..arrays import Arrays, ordered
from . import base
from .mean import Weighted, weighted_mean

if TYPE_CHECKING:
    from ..training import Outcome, Recipe

CONTROL = "control::"
"""Prefix of the control variates' tensors, on the way and in states."""


class Strategy(base.Strategy):
    """FedAvg of clients whose gradients are corrected. Each way carries two tensors for each of the adapter's."""

    parameters = frozenset({"server_learning_rate"})

    keeps_client_state = True
    needs_mean_alone = True

    # --- on the server ---

    def outgoing(self, current: Arrays, state: Arrays | None, partition: int) -> Arrays:
        """The global adapter and c."""
        return zero_control(current) if state is None else ordered({**current, **state})

    def awaited(self, current: Arrays, partition: int) -> Arrays:
        """The client's adapter, and the change of its control variate, which would be zero if nothing moved."""
        return zero_control(adapter_of(current))

    def aggregate(self, current: Arrays, replies: Weighted, state: Arrays | None) -> tuple[Arrays, Arrays | None]:
        """θ and c as above, in float64 and rounded once to float32. The state is c."""
        rate = float(self.block["server_learning_rate"])
        heard = float(sum(weight for weight, _ in replies))
        new: Arrays = {}
        kept: Arrays = {}
        for name, old in current.items():
            new[name] = (old + rate * (weighted_mean(replies, name) - old)).astype(numpy.float32)
            control = numpy.zeros(old.shape) if state is None else state[CONTROL + name].astype(numpy.float64)
            change = weighted_mean(replies, CONTROL + name) * (heard / sum(self.sizes))
            kept[CONTROL + name] = (control + change).astype(numpy.float32)
        return new, kept

    # --- at a client ---

    def begin(self, received: Arrays, drawn: Callable[[], Arrays]) -> Arrays:
        """The adapter without c."""
        return adapter_of(received)

    def recipe(self, recipe: Recipe, received: Arrays, state: Arrays | None) -> Recipe:
        """With c − cₖ to add to each gradient, and the mean gradient asked for."""
        difference = {name: received[CONTROL + name] - array for name, array in own(received, state).items()}
        return dataclasses.replace(recipe, correction=difference, wants_gradient=True)

    def reply(
        self, received: Arrays, trained: Arrays, outcome: Outcome, state: Arrays | None
    ) -> tuple[Arrays, Arrays | None]:
        """The adapter and the change of cₖ; the next state is the new cₖ."""
        if outcome.gradient is None:
            raise ValueError("the training told no mean gradient")
        before = own(received, state)
        change = {CONTROL + name: array - before[name] for name, array in outcome.gradient.items()}
        kept = {CONTROL + name: array for name, array in outcome.gradient.items()}
        return ordered({**trained, **change}), ordered(kept)


def adapter_of(received: Arrays) -> Arrays:
    """What was sent, without c."""
    return {name: array for name, array in received.items() if not name.startswith(CONTROL)}


def zero_control(adapter: Arrays) -> Arrays:
    """The adapter, and control variates as they begin."""
    return ordered({**adapter, **{CONTROL + name: numpy.zeros_like(array) for name, array in adapter.items()}})


def own(received: Arrays, state: Arrays | None) -> Arrays:
    """cₖ by the adapter's names."""
    adapter = adapter_of(received)
    if state is None:
        return {name: numpy.zeros_like(array) for name, array in adapter.items()}
    return {name: state[CONTROL + name] for name in adapter}
