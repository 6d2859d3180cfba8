"""Evaluation by budget: what it costs to reach a target, and how good an adapter is within what may be sent."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

from pydantic import Field

from ftbench.spec.primitives import Block, PositiveFloat


class CostToTarget(Block):
    """What the first round costs whose loss on the validation cut is the target or less; reported, never ranked."""

    validation_loss: PositiveFloat
    """The target: mean loss in nats on `data.validation`."""


class QualityWithin(Block):
    """Scores of the last adapter that a run had within each budget, on the same items as the one that is scored."""

    communication_mib: Annotated[list[PositiveFloat], Field(min_length=1, max_length=16)]
    """MiB (2^20 bytes) of both directions, all clients and rounds so far, ascending. Where not even the first round
    fits, the score is that of the untuned model."""


def within_name(mib: float) -> str:
    """What the answers within a budget are called: `within-2-mib`, `within-0.5-mib`."""
    return f"{WITHIN}{plain(mib)}-mib"


def plain(mib: float) -> str:
    """The number without an exponent, whole ones without a point: another text for every other number."""
    text = format(Decimal(repr(float(mib))), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


WITHIN = "within-"
"""How every such name begins."""


def within_names(block: QualityWithin | None) -> list[str]:
    """The names of all budgets, in their order."""
    return [] if block is None else [within_name(mib) for mib in block.communication_mib]
