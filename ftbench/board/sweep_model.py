"""A sweep as a document: its settings with their figures, and the run behind each. It holds no clock."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from ftbench.board.model import Estimate
from ftbench.spec.model import Sha256
from ftbench.spec.primitives import Block


class SweepTask(Block):
    """One task by the scoring that ranks."""

    scoring: str
    """Name of the scoring."""
    items: int
    """Items asked."""
    score: Estimate
    """Accuracy."""
    difference: Estimate | None
    """This setting minus the first on the same items; null for the first, and where they share no seed."""


class SweepRow(Block):
    """One setting over its seeds. Figures are null where no run of it is whole."""

    name: str
    """Name of the setting's entries."""
    values: dict[str, Any]
    """What is varied → the value in force; null for a parameter that the strategy does not use."""
    seeds: list[int]
    """Seeds whose runs are whole."""
    missing_seeds: list[int]
    """Seeds of the sweep whose runs are not."""
    score: Estimate | None
    """Plain mean over tasks, mean over seeds."""
    spread: float | None
    """Standard deviation of the score over seeds (n − 1); null with one seed."""
    difference: Estimate | None
    """This setting minus the first on the same items, mean over the seeds that both have: paired score intervals
    (Newcombe 1998, method 10), combined over tasks by MOVER and over seeds by their mean."""
    difference_seeds: list[int]
    """Those seeds."""
    p_value: float | None
    """Of the test against the first on the same items, adjusted for all settings of the sweep (`board.compare`); null
    for the first, and where the two cannot be paired."""
    apart: bool | None
    """Whether it is told apart from the first, with one error for the whole sweep; null for the first."""
    gain: Estimate | None
    """Tuned minus untuned on the same items."""
    constant: list[str]
    """Tasks whose score is not above the best constant answer, and `mean`: what stands in `gain` is no gain."""
    tasks: dict[str, SweepTask]
    """Task → figures."""
    bytes_down: int | None
    """Adapter bytes sent to clients in a run, mean over seeds."""
    bytes_up: int | None
    """Adapter bytes sent by clients in a run, mean over seeds."""
    trainable_parameters: int | None
    """Parameters that a client trains."""
    exclusions: int
    """Clients left out of a round, summed over runs."""
    trials: int | None = None
    """Candidates that were tried on the validation cut before the test set was read; null: none was."""
    ends: dict[str, Literal["least", "greatest"]] = {}
    """Tuned knobs whose value is the least or the greatest of those tried: a better one may lie beyond."""


class SweepRun(Block):
    """One cell: an ordinary run with its own bundle."""

    setting: str
    """Name of its setting."""
    seed: int
    """Its seed."""
    folder: str
    """Its folder's name, in the sweep's folder."""
    state: Literal["whole", "failed", "begun", "to-do"]
    """`whole`: it has its bundle. `failed`: it was tried and is not whole. `begun` and `to-do`: not tried yet."""
    code: str | None = None
    """Diagnostic code of a failure."""
    problem: str | None = None
    """What it said."""
    adapter: Sha256 | None = None
    """Digest of the adapter that is scored."""
    ledger: Sha256 | None = None
    """sha256 of its ledger's last line."""
    score: float | None = None
    """Plain mean over tasks."""


class SweepTrial(Block):
    """A candidate of a setting, trained at one seed and held to the validation cut; the test set was not read."""

    setting: str
    """Name of the candidate."""
    seed: int
    """Seed that it was trained with."""
    folder: str
    """Its folder's name, in the sweep's folder."""
    loss: float | None
    """Its loss on the validation cut; null: it did not train to its end."""
    chosen: bool
    """Whether it has the least loss of its setting: it alone is scored."""
    code: str | None = None
    """Diagnostic code of a failure."""
    problem: str | None = None
    """What it said."""


class Sweep(Block):
    """`ftbench sweep`, and `sweep.json` in its folder."""

    format: Literal["ftbench/output/sweep/v1"] = "ftbench/output/sweep/v1"
    """Format of this document."""
    name: str
    """Name of the benchmark."""
    version: str
    """Version of the benchmark."""
    spec_hash: Sha256
    """What all runs have in common."""
    smoke: bool
    """Shortened trial runs: no figure of them says anything."""
    confidence: Annotated[float, Field(gt=0, lt=1)]
    """Level of the intervals. They cover item sampling only."""
    varied: list[str]
    """What is varied, in the order given."""
    seeds: list[int]
    """Seeds of the sweep."""
    rows: list[SweepRow]
    """One for each setting, in the order of the product; the first is what others are compared with."""
    runs: list[SweepRun]
    """Every run, by setting and seed."""
    tuned: list[str] = []
    """What was chosen by validation, beside what is varied; empty: nothing was."""
    trials: list[SweepTrial] = []
    """Every trial, by setting: each setting had as many."""
