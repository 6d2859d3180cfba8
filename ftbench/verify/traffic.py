"""What a run must move, counted again from the spec in force, the shapes of the adapter and the ledger.

The rule is `spec.implied.traffic`, which `estimate` reads too and which is written apart from the app on purpose: two
hands, one rule. So the count is independent of the app and of who submits, not of ftbench's estimate.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ftbench.result.documents import Round
from ftbench.spec.implied import traffic
from ftbench.spec.model import Spec
from ftbench.spec.strategies import STRATEGIES
from ftbench.verify.context import Context


@dataclass(frozen=True, slots=True)
class Due:
    """What one round must come to."""

    down: dict[int, int]
    """Partition id of each client asked → bytes that it is sent, whether or not it replies."""
    up: dict[int, int]
    """The same → bytes of its reply."""

    @property
    def worst(self) -> int:
        """Bytes where every client asked replies."""
        return sum(self.down.values()) + sum(self.up.values())


def due(context: Context) -> list[Due]:
    """What each round of the ledger must come to, in its order."""
    shapes = {name: tensor.shape for name, tensor in context.tensors.items()}
    return rounds(context.in_force, shapes, context.rounds)


def rounds(spec: Spec, shapes: traffic.Shapes, bodies: Sequence[Round]) -> list[Due]:
    """The same from its parts. `shapes`: the tensors of an adapter, of whatever rank."""
    sizes: dict[tuple[int, int], tuple[int, int]] = {}
    found, replies = [], 0
    for body in bodies:
        found.append(one(spec, shapes, body.sampled, replies, sizes))
        replies += len(body.replies)
    return found


def one(
    spec: Spec,
    shapes: traffic.Shapes,
    asked: Sequence[int],
    replies: int,
    sizes: dict[tuple[int, int], tuple[int, int]] | None = None,
) -> Due:
    """The same for one round. `replies`: usable ones of all rounds before; `sizes`: kept from round to round."""
    sizes = {} if sizes is None else sizes
    # What is sent may grow from round to round; all clients have one rank then.
    stacked = spec.adapter.rank * replies if STRATEGIES[spec.strategy.kind].growing else 0
    told = {}
    for client in asked:
        key = (_rank(spec, client), stacked)
        if key not in sizes:
            message = traffic.Message(spec.strategy.kind, shapes, *key)
            sizes[key] = (traffic.down_bytes(spec.transport, message), traffic.up_bytes(spec.transport, message))
        told[client] = sizes[key]
    return Due({k: down for k, (down, _) in told.items()}, {k: up for k, (_, up) in told.items()})


def _rank(spec: Spec, client: int) -> int:
    """The rank that it trains. A client that does not exist is another check's affair."""
    mixed = spec.adapter.client_ranks or [spec.adapter.rank]
    return mixed[client % spec.federation.clients % len(mixed)]
