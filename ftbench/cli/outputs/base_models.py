"""What `ftbench models` and `ftbench estimate` print with `--json`."""

from __future__ import annotations

from typing import Literal

from ftbench.base_models.catalogue import BaseModel
from ftbench.base_models.estimate import Estimate
from ftbench.run.evaluation.trial import Report
from ftbench.spec.primitives import Block


class ModelsOutput(Block):
    """`ftbench models`."""

    format: Literal["ftbench/output/models/v1"] = "ftbench/output/models/v1"
    """Format of this document."""
    models: list[BaseModel]
    """The models asked for, smallest first."""


class LearningRates(Block):
    """Learning rates of the rounds, as the schedule says; inside a round they may be lower."""

    first_round: float
    """Of the first round."""
    last_round: float
    """Of the last."""
    sum: float
    """Over all rounds, each times its local steps and what a step has of the round's: how far one may go in all."""


class EstimateOutput(Block):
    """`ftbench estimate`."""

    format: Literal["ftbench/output/estimate/v1"] = "ftbench/output/estimate/v1"
    """Format of this document."""
    spec: str
    """The spec, as given."""
    micro_batch: int
    """Examples in one forward pass."""
    sequence_length: int
    """Most tokens of an example."""
    bits: Literal[4, 8, 16, 32]
    """Bits of the frozen weights."""
    double_quant: bool
    """Whether the scales of 4-bit weights are quantised too."""
    gradient_checkpointing: bool
    """Whether layers are computed again in the backward pass."""
    learning_rates: LearningRates
    """Of the rounds."""
    estimate: Estimate
    """What it comes to."""
    archive_bytes: int
    """About what `ftbench run --keep all` keeps beside the bundle, so that part of the run can be done again."""
    rows: Report | None = None
    """What the base model's tokenizer leaves of the training rows; null: not asked for."""
