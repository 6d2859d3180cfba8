"""A verified bundle as the leaderboard sees it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from ftbench.result.documents import Environment, Result, Verdict
from ftbench.spec.canonical import digest
from ftbench.spec.entry import ResolvedEntry

Marks = Mapping[str, Sequence[float]]
"""Task → for each item in order 1 where the tuned model was right, else 0; fractions in means over runs."""

Clusters = Mapping[str, Sequence[str]]
"""Task → for each item in order the cluster that it belongs to. A name in two tasks is one cluster of both."""


@dataclass(frozen=True)
class Submission:
    """One bundle: where it lies, what its verifier found, and the parts that a table needs."""

    path: str
    verdict: Verdict
    entry: ResolvedEntry | None = None
    marks: Marks = field(default_factory=dict)
    answers: str | None = None
    """Digest of the tuned model's log-likelihoods; null where no task has any, or they could not be read."""
    beside: Mapping[str, Marks] = field(default_factory=dict)
    """`untuned` and the trained references → their marks by the scoring that ranks, where they are known."""

    environment: Environment | None = None
    """Where the run took place, as its submitter tells it."""
    content: str = ""
    """Digest of all that was read of it; empty: not known."""

    decided: str = ""
    """What a verifier of the reader's choice decided beyond what was verified here, in words; empty: nothing."""

    taken_back: str = ""
    """That a bundle with the same adapter or the same answers was taken back, in words; empty: none was."""

    carried: bool = False
    """Whether its scores are a verifier's, under another spec hash than the bundle's own."""

    @property
    def result(self) -> Result:
        """The bundle's claim; only asked for where `verdict.result` is there."""
        assert self.verdict.result is not None
        return self.verdict.result

    @property
    def key(self) -> str:
        """Digest of what makes two runs the same entry: base model, knobs and its own code, not seed or name."""
        assert self.entry is not None
        own = {} if self.entry.open is None else {"open": self.entry.open.model_dump(mode="json")}
        return digest({"model": self.entry.model.model_dump(mode="json"), "knobs": self.entry.knobs, **own})

    @property
    def division(self) -> Literal["closed", "open"]:
        """Open where result or entry say so: below CONFORMS nobody has compared the two."""
        own = self.entry is not None and self.entry.open is not None
        return "open" if own or self.result.division == "open" else "closed"
