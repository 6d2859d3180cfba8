"""What `ftbench sweep FILE --dry-run` prints with `--json`."""

from __future__ import annotations

from typing import Literal

from ftbench.spec.primitives import Block


class ModelDownload(Block):
    """A base model that the sweep needs."""

    name: str
    """Repository on the hub."""
    bytes: int
    """Its weights as stored."""


class SweptSpec(Block):
    """One spec's part of the sweep. Hours are of the card that they stand beside, on the long side."""

    spec: str
    """As the file names it."""
    settings: int
    """Rows of its table."""
    runs: int
    """Settings times seeds."""
    trials: int
    """Trainings on whose validation loss settings are chosen."""
    hours: dict[str, float]
    """Card → hours of the runs and trials whose memory fits it."""
    hours_left_out: dict[str, float]
    """Card → hours of those that do not fit, had it the memory."""
    settings_fitting: dict[str, int]
    """Card → settings whose memory fits it with one example in a pass."""
    largest_gib: float
    """Memory of the largest, one example in a pass."""
    traffic_gib: float
    """Adapters sent, both directions, all runs and trials."""
    models: list[ModelDownload]
    """Base models, each once."""


class SweepPlanOutput(Block):
    """`ftbench sweep FILE --dry-run`."""

    format: Literal["ftbench/output/sweep-plan/v1"] = "ftbench/output/sweep-plan/v1"
    """Format of this document."""
    title: str
    claim: str
    refuted_by: str
    specs: list[SweptSpec]
    """In the order of the file."""
    runs: int
    """Of all specs."""
    trials: int
    """Of all specs."""
    hours: dict[str, float]
    """Card → hours that fit it."""
    hours_left_out: dict[str, float]
    """Card → hours that do not."""
    traffic_gib: float
    """Of all specs."""
    download_gib: float
    """Weights of all base models, each once."""
