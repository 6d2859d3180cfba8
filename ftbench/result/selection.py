"""How a sweep chose an entry's knobs, as its bundle says it."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

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

    @model_validator(mode="after")
    def _one_loss_a_trial(self) -> Self:
        """A table tells how many were tried; the bundle that tells another number of losses contradicts itself."""
        if len(self.losses) != self.trials:
            raise ValueError(f"tells {len(self.losses)} losses of {self.trials} trials")
        if all(loss is None for loss in self.losses):
            raise ValueError("tells that no trial trained to its end, and of these none is chosen")
        if len(set(self.tuned)) != len(self.tuned):
            raise ValueError("names a tuned knob twice")
        return self
