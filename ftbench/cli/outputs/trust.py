"""What the commands of signing, claims and submission print with `--json`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from ftbench.decisions.documents import Carried, DecisionLine
from ftbench.result.documents import Score, Verdict
from ftbench.result.signed import Signed
from ftbench.spec.primitives import Block, Sha256

if TYPE_CHECKING:
    from ftbench.submit.check import Checked


class SignOutput(Block):
    """`ftbench sign`."""

    format: Literal["ftbench/output/sign/v1"] = "ftbench/output/sign/v1"
    """Format of this document."""
    file: str
    """What is signed."""
    signature: str
    """Where its signature lies."""
    namespace: str
    """What it is signed for; `ssh-keygen -Y verify -n` takes it."""
    signed: Signed
    """The key, and with `--signers` whose it is."""


class ScoreOutput(Block):
    """`ftbench score`."""

    format: Literal["ftbench/output/score/v1"] = "ftbench/output/score/v1"
    """Format of this document."""
    file: str
    """The file of answers."""
    kind: Literal["bundle", "lm-eval", "flowertune", "bigcode", "plain"]
    """In whose form they are."""
    task: str
    """The test set."""
    models: dict[str, dict[str, Score]]
    """Model → scoring → score; a file that names no model has one called `recorded`."""
    not_told: list[str]
    """What such a file does not tell, in sentences."""


class CheckedSubmission(Block):
    """What was found of one submission."""

    name: str
    """The name of its file."""
    bundle: Sha256 | None
    """sha256 of its manifest; null where that could not be read."""
    accepted: bool
    """Whether it reaches the level asked for."""
    verdict: Verdict | None
    """The checks; null where the bundle could not be brought."""
    identical: list[str]
    """Earlier submissions with the same adapter or the same answers."""
    registration: Sha256 | None
    """The registration that announced the run before; null: none did."""
    handed_in: int | None
    """How many other bundles the signer has handed in on this benchmark; null: it is not signed."""
    reasons: list[str]
    """In words for the submitter."""


class SubmitOutput(Block):
    """`ftbench submit`."""

    format: Literal["ftbench/output/submit/v1"] = "ftbench/output/submit/v1"
    """Format of this document."""
    action: Literal["register", "new", "check", "receive"]
    """What was asked for."""
    accepted: bool
    """Whether nothing speaks against it."""
    submissions: list[CheckedSubmission]
    """What was looked at, by name."""
    meddled: list[str]
    """Changes of what only verifiers write."""
    written: str | None
    """The file that was written."""


class DecideOutput(Block):
    """`ftbench decide`."""

    format: Literal["ftbench/output/decide/v1"] = "ftbench/output/decide/v1"
    """Format of this document."""
    written: list[DecisionLine]
    """Lines added now."""
    lines: int
    """Lines that there are."""
    pending: list[str]
    """Submissions that wait, oldest first."""


class CarryOutput(Block):
    """`ftbench carry`."""

    format: Literal["ftbench/output/carry/v1"] = "ftbench/output/carry/v1"
    """Format of this document."""
    written: str
    """The file of the carried result."""
    carried: Carried
    """Its scores, and in what the two benchmarks differ."""


def checked_submission(one: Checked) -> CheckedSubmission:
    """A checked submission as it is printed."""
    return CheckedSubmission(
        name=one.name,
        bundle=one.bundle,
        accepted=one.accepted,
        verdict=one.verdict,
        identical=list(one.identical),
        registration=one.registration,
        handed_in=one.record.handed_in if one.record is not None else None,
        reasons=list(one.reasons),
    )
