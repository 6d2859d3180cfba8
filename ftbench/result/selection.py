"""How a sweep chose an entry's knobs, as its bundle says it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from ftbench.result.option_documents import NonNegative
from ftbench.spec.primitives import Block


class Selection(Block):
    """How a sweep chose this entry's knobs: by the validation cut, before the test set was read. Reported by the
    submitter; the ledgers of the trials that lost are not in the bundle."""

    by: Literal["validation"] = "validation"
    """What the choice went by: the loss of the round that would be scored, the least wins."""
    trials: Annotated[int, Field(ge=1)]
    """Candidates that were tried for this setting, this one among them; every setting of the sweep had as many."""
    seed: NonNegative
    """Seed of every trial."""
    tuned: list[str]
    """Knobs in which the candidates differ."""
    losses: list[Annotated[float, Field(ge=0)] | None]
    """Each trial's loss; null: it did not train to its end."""
