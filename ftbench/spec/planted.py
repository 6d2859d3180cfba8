"""What a spec plants among its training rows, and with which client."""

from __future__ import annotations

from ftbench.spec import canaries
from ftbench.spec.model import Spec


def unfit(spec: Spec) -> str:
    """Why the canaries that the spec asks for cannot be planted; empty where they can, or none are asked for."""
    block, data = spec.evaluation.canaries, spec.data
    if block is None:
        return ""
    if data.source.kind == "sites":
        return "the training rows stay at their sites"
    if data.rejected is not None:
        return "a pair of answers has no one secret"
    return canaries.unfit(block, data.prompt, data.completion)


def planted(spec: Spec) -> list[dict[str, str]]:
    """What the columns of each planted row are that templates name, in the order of the rows; empty without any."""
    block, data = spec.evaluation.canaries, spec.data
    if block is None or unfit(spec):
        return []
    return canaries.rows(block, data.prompt, data.completion, spec.seeds.partition)


def holders(spec: Spec) -> list[int]:
    """The client of each planted row, in the order of the rows."""
    block = spec.evaluation.canaries
    if block is None or unfit(spec):
        return []
    return canaries.holders(block, spec.seeds.partition, spec.federation.clients)
