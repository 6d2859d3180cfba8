"""What was decided of submissions, as a board tells it: by whom, when, why. Where it is from is not known here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Decided:
    """One line of a folder's decisions."""

    time: str
    """In UTC, to the second."""
    event: str
    """`received`, `accepted`, `refused`, `withdrawn`, `re-scored`, `carried`, `registered`."""
    submission: str
    """What it is called; empty for a registration."""
    bundle: str
    """sha256 of the bundle's manifest.json, or of the registration."""
    spec_hash: str | None
    """The benchmark, where it could be read."""
    level: str
    """How far the bundle was believed."""
    reasons: Sequence[str]
    """Why, in words for the submitter."""
    verifier: str
    """Who decided, by their own account."""
    signed_by: str | None
    """Whose signature it bears, by the reader's list; None: nobody's that it knows, and the decision counts for
    nothing."""
    counts: bool
    """Whether it is the last of its bundle, and signed by somebody on the list."""
