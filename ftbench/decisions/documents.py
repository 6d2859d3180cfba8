"""The documents of a folder `results/`: submissions, registrations, carried results, lines of decisions.jsonl."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from ftbench.result.documents import Level, NonNegative, Scores
from ftbench.result.signed import Fingerprint, Signed
from ftbench.spec.model import Name, Sha256
from ftbench.spec.primitives import Block

Text = Annotated[str, Field(min_length=1, max_length=2_000)]
Who = Annotated[str, Field(min_length=1, max_length=255)]
Time = Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")]
"""A moment in UTC, to the second."""
Label = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$", max_length=80)]
"""What a submission is called: the name of its file."""
Event = Literal["registered", "received", "accepted", "refused", "withdrawn", "re-scored", "carried"]
OPEN: tuple[Event, ...] = ("received", "re-scored")
"""After these a submission waits for a decision."""


class Submission(Block):
    """`submissions/NAME.json`: which bundle somebody hands in, and where it lies."""

    format: Literal["ftbench/submission/v1"] = "ftbench/submission/v1"
    """Format of this document."""
    bundle: Sha256
    """sha256 of the bundle's manifest.json: it fixes every other file."""
    place: Annotated[str, Field(min_length=1, max_length=1_000)]
    """An address beginning with https:// below which the bundle's files lie, or a path below `results/` of the bundle's
    folder or archive."""


class PlannedRun(Block):
    """One run."""

    entry: Sha256
    """Digest of the resolved entry without metadata, as a result names it; the seed is in it."""
    seed: NonNegative
    """The seed that it is going to be run with."""


class Registration(Block):
    """`registrations/DIGEST.json`: the runs that somebody is going to make, told before they are made."""

    format: Literal["ftbench/registration/v1"] = "ftbench/registration/v1"
    """Format of this document."""
    spec_hash: Sha256
    """The benchmark."""
    runs: Annotated[list[PlannedRun], Field(min_length=1, max_length=1_000)]
    """Each entry with each seed."""
    trials: NonNegative
    """Runs that are made to find the entries, and not handed in."""
    note: Annotated[str, Field(max_length=2_000)] = ""
    """What else the submitter wants to have said before."""


class Edited(Block):
    """One difference between two benchmarks."""

    path: str
    """As `ftbench diff` names it."""
    impact: str
    """How much it matters."""


class Carried(Block):
    """`carried/DIGEST.json`: a bundle's scores under another spec hash, made by a named verifier."""

    format: Literal["ftbench/carried/v1"] = "ftbench/carried/v1"
    """Format of this document."""
    bundle: Sha256
    """sha256 of the bundle's manifest.json."""
    from_spec_hash: Sha256
    """The benchmark that it was run on."""
    to_spec_hash: Sha256
    """The benchmark that these scores are of."""
    to_name: Name
    to_version: str
    how: Literal["answers", "adapter"]
    """`answers`: the recorded answers were scored again; `adapter`: the items were asked again with the adapter."""
    edits: list[Edited]
    """In what the two benchmarks differ."""
    scores: Scores
    """By the scorings of the other benchmark."""
    verifier: Who
    """Who made them."""
    ftbench: str
    """Version of ftbench that made them."""


class Decision(Block):
    """What happened to a submission."""

    event: Event
    """`received`: it is whole and RESCORED, or waits for somebody to look. `re-scored`: it is looked at again."""
    time: Time
    """When it was written."""
    submission: Label | None
    """What the submission is called; null for a registration."""
    document: Sha256
    """sha256 of the bundle's manifest.json, or of the registration."""
    spec_hash: Sha256 | None
    """The benchmark, where it could be read."""
    level: Level
    """How far the bundle was believed; NONE for a registration."""
    verdict: Sha256 | None = None
    """sha256 of the verdict's file, which has the checks; null where none was made."""
    carried: Sha256 | None = None
    """sha256 of the carried result's file."""
    entry: Sha256 | None = None
    """Digest of the entry, where it could be read."""
    seed: NonNegative | None = None
    adapter: Sha256 | None = None
    """Digest of the adapter: two of one digest are one adapter, whoever hands them in."""
    answers: Sha256 | None = None
    """Digest of all answers in numbers: two runs never agree in them to the last digit."""
    submitter: Signed | None = None
    """Who signed it; null where it is not signed."""
    verifier: Who
    """Who decided."""
    reasons: Annotated[list[Text], Field(min_length=1, max_length=100)]
    """Why, in words for the submitter."""


class DecisionLine(Block):
    """One line of `decisions.jsonl`: RFC 8785 bytes and a newline."""

    seq: NonNegative
    """Counted from 0."""
    prev: Sha256
    """sha256 of the line before, its newline included; for line 0 sha256 of "ftbench/decisions/v1\\n"."""
    body: Decision
    """What was decided."""
    key: Fingerprint | None
    """The verifier's key; null where the line is not signed."""
    signature: Annotated[str, Field(max_length=16_384)] | None
    """OpenSSH's signature of the RFC 8785 bytes of {seq, prev, body} in the namespace `ftbench-decision`."""
    digest: Sha256
    """sha256 of the RFC 8785 bytes of all the above: it covers what no later line does yet."""
