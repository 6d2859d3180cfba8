"""What `run`, `evaluate` and `verify` print with `--json`; apart, as building the result's models takes time."""

from __future__ import annotations

from typing import Literal

from ftbench.result.documents import Mean, Result, Score, Scores, Verdict
from ftbench.spec.primitives import Block
from ftbench.verify.claims.documents import Claims


class RunOutput(Block):
    """`ftbench run`."""

    format: Literal["ftbench/output/run/v1"] = "ftbench/output/run/v1"
    """Format of this document."""
    run_dir: str
    """Folder of the run; `ftbench run --resume` takes it."""
    bundle: str | None
    """The result bundle's folder; null where there is none to hand in."""
    verify: str | None
    """The command that verifies the bundle."""
    report: str | None = None
    """The page that says what the run came to; null where it could not be written."""
    result: Result
    """Scores and cost, as they stand in the bundle."""


class EvaluateOutput(Block):
    """`ftbench evaluate`."""

    format: Literal["ftbench/output/evaluate/v1"] = "ftbench/output/evaluate/v1"
    """Format of this document."""
    target: str
    """The run folder or adapter."""
    tasks: dict[str, Score]
    """Task → accuracy with the adapter, by the scoring that ranks."""
    also: dict[str, dict[str, Score]]
    """Task → its other scorings."""
    mean: Mean
    """Plain mean over tasks."""
    scores: Scores | None
    """Beside the untuned model on the same items; null for an adapter that is not part of a run."""
    folder: str
    """Where the answers were kept."""


class MergeOutput(Block):
    """`ftbench merge`."""

    format: Literal["ftbench/output/merge/v1"] = "ftbench/output/merge/v1"
    """Format of this document."""
    out: str
    """Folder of the merged model."""
    dtype: Literal["bfloat16", "float32"]
    """Element type of its weights."""
    scores: Scores | None
    """On the run's own items: `tuned` is the merged model, `untuned` the run's adapter beside its own weights; null:
    not asked for."""
    furthest_loglikelihood: float | None
    """Largest difference between their log-likelihoods of one option, in nats; null where no task has any."""


class VerifyOutput(Block):
    """`ftbench verify`."""

    format: Literal["ftbench/output/verify/v1"] = "ftbench/output/verify/v1"
    """Format of this document."""
    accepted: bool
    """Whether every bundle reaches the level required; of claims: whether no row is impossible."""
    bundles: list[VerifiedBundle]
    """In the order given."""
    claims: Claims | None = None
    """With --claims what arithmetic says of the table."""


class VerifiedBundle(Block):
    """One bundle's verdict."""

    path: str
    """The argument, as given."""
    verdict: Verdict
    """The level reached, every check, and what was not checked."""


VerifyOutput.model_rebuild()
