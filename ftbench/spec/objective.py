"""What a client minimises: one block for each objective, with its own parameters."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from ftbench.spec.primitives import Block, PositiveFloat


class SftObjective(Block):
    """Supervised fine-tuning: the cross entropy of `data.completion`."""

    kind: Literal["sft"]
    """What the client's loss is made of."""


class DpoObjective(Block):
    """Direct preference optimisation (arXiv 2305.18290) on pairs, as OpenFedLLM offers it (arXiv 2402.06954).

    A pair's loss is −log sigmoid(beta · m), where m is how much more the tuned model than the frozen base model
    prefers `data.completion` to `data.rejected`, in differences of summed log-probabilities. A batch's loss is the mean
    over its pairs.
    """

    kind: Literal["dpo"]
    """What the client's loss is made of."""
    beta: PositiveFloat
    """How closely the tuned model is held to the base model: the smaller, the further it may go. 0 would leave no
    gradient."""
    loss: Literal["sigmoid"]
    """Form of the loss: the Bradley-Terry likelihood."""


Objective = Annotated[SftObjective | DpoObjective, Field(discriminator="kind")]
