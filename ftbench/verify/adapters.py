"""The verifier's own reading of what a strategy makes of the adapter: rank, scale, and what a client trains of it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from math import prod

from ftbench.result import adapter
from ftbench.result.documents import Round
from ftbench.spec import ranks
from ftbench.spec.implied import traffic
from ftbench.spec.model import Adapter, Spec
from ftbench.spec.strategies import STRATEGIES
from ftbench.verify.context import Context

TINY = 2.0**-100
"""Below this a product may have lost digits in float32."""


def finished(context: Context) -> Adapter:
    """The adapter block that the adapter in the bundle must be loaded by.

    FLoRA's has the rank of all replies up to the round scored, and that rank as alpha, so that its scale is 1.
    """
    block = context.in_force.adapter
    if STRATEGIES[context.in_force.strategy.kind].combines != "stack":
        return block
    rank = grown(block, context.rounds, context.finished.round)
    return block.model_copy(update={"rank": rank, "alpha": rank})


def grown(block: Adapter, rounds: list[Round], number: int) -> int:
    """FLoRA: rank of the stack after round `number`."""
    return block.rank * sum(len(body.replies) for body in rounds if body.round <= number)


def trained(spec: Spec, tensors: Mapping[str, adapter.Tensor]) -> int:
    """Parameters that a client trains, the one that trains most; `tensors`: the adapter, of whatever rank."""
    shapes = {name: tensor.shape for name, tensor in tensors.items()}
    rank = max(ranks.of_clients(spec.adapter, spec.federation.clients))
    found = traffic.of_rank(shapes, rank)
    return sum(prod(shape) for name, shape in found.items() if not frozen(spec, name))


def frozen(spec: Spec, name: str) -> bool:
    """Whether that tensor is as it was drawn in every round."""
    return traffic.is_frozen(spec.strategy.kind, name)


def cut(tensors: Mapping[str, adapter.Tensor], rank: int) -> dict[str, adapter.Tensor]:
    """The adapter's first directions. Raises ValueError where its factors are no matrices of that rank at least."""
    import numpy as np

    found = {}
    for name, tensor in tensors.items():
        array = np.frombuffer(tensor.data, dtype="<f4").reshape(tensor.shape)
        along = 0 if name.endswith(traffic.A) else 1
        if array.ndim != 2 or array.shape[along] < rank:
            raise ValueError(f"`{name}` has no {rank} directions")
        part = array[:rank] if along == 0 else array[:, :rank]
        found[name] = adapter.Tensor(part.shape, part.tobytes())
    return found


def zeroed(tensors: Mapping[str, adapter.Tensor]) -> dict[str, adapter.Tensor]:
    """The adapter as it was drawn, as far as its A tells: B zero."""
    return {n: adapter.Tensor(t.shape, bytes(len(t.data))) if n.endswith(traffic.B) else t for n, t in tensors.items()}


def moving(tensors: Mapping[str, adapter.Tensor]) -> dict[str, adapter.Tensor]:
    """What FFA-LoRA's clients train and send: everything but A."""
    return {name: tensor for name, tensor in tensors.items() if not name.endswith(traffic.A)}


def unstacked(
    tensors: Mapping[str, adapter.Tensor], begin: int, rank: int, factor: float
) -> dict[str, adapter.Tensor] | None:
    """FLoRA: the factors of one reply, taken out of the stack where they begin at `begin`; A was scaled by `factor`.

    None where that cannot be undone to the bit: `factor` is no power of two, or some of A is too small for float32.
    """
    import numpy as np

    if math.frexp(factor)[0] != 0.5:
        return None
    found = {}
    for name, tensor in tensors.items():
        array = np.frombuffer(tensor.data, dtype="<f4").reshape(tensor.shape)
        if array.ndim != 2:
            return None
        if name.endswith(traffic.A):
            part = array[begin : begin + rank]
            if (np.abs(part) < TINY).any():
                return None
            part = (part.astype(np.float64) / factor).astype("<f4")
        else:
            part = array[:, begin : begin + rank]
        found[name] = adapter.Tensor(part.shape, part.tobytes())
    return found


def columns(tensors: Mapping[str, adapter.Tensor], begin: int, rank: int) -> str:
    """FLoRA: digest of what one reply put into B, where it begins at `begin`; that is stacked as it was sent."""
    import numpy as np

    found = {}
    for name, tensor in tensors.items():
        if name.endswith(traffic.B) and len(tensor.shape) == 2:
            part = np.frombuffer(tensor.data, dtype="<f4").reshape(tensor.shape)[:, begin : begin + rank]
            found[name] = adapter.Tensor(part.shape, part.tobytes())
    return adapter.tensors_digest(found, {})
