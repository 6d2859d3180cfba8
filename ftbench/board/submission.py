"""A verified bundle as the leaderboard sees it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ftbench.result.models import Result, Verdict
from ftbench.spec.canonical import digest
from ftbench.spec.entry import ResolvedEntry

Marks = Mapping[str, Sequence[float]]
"""Task → for each item in order 1 where the tuned model was right, else 0; fractions in means over runs."""


@dataclass(frozen=True)
class Submission:
    """One bundle: where it lies, what its verifier found, and the parts that a table needs."""

    path: str
    verdict: Verdict
    entry: ResolvedEntry | None = None
    marks: Marks = field(default_factory=dict)
    answers: str | None = None
    """Digest of the tuned model's log-likelihoods; null where no task has any, or they could not be read."""

    @property
    def result(self) -> Result:
        """The bundle's claim; only asked for where `verdict.result` is there."""
        assert self.verdict.result is not None
        return self.verdict.result

    @property
    def key(self) -> str:
        """Digest of what makes two runs the same entry: base model and knobs, but neither seed nor name."""
        assert self.entry is not None
        return digest({"model": self.entry.model.model_dump(mode="json"), "knobs": self.entry.knobs})
