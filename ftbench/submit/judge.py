"""The one place where a submission is judged: the ladder, and above it whatever does part of a run again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ftbench.data.store import Store
from ftbench.result.documents import Level, Verdict
from ftbench.result.files import Bundle
from ftbench.signing.keygen import Signers
from ftbench.verify.verifier import judge

Above = Callable[[Bundle, Verdict], Verdict]
"""Takes a bundle that is RESCORED and its verdict, and gives the verdict with what was done again."""


@dataclass(frozen=True, slots=True)
class Judge:
    """A verifier with its settings."""

    store: Store
    benchmarks: Sequence[Path] = ()
    spec: Path | None = None
    signers: Signers | None = None
    required: Level = "RESCORED"
    above: Above | None = field(default=None)
    """The spot-run; None: the ladder ends at RESCORED."""

    def verdict(self, bundle: Bundle) -> Verdict:
        """How far a bundle can be believed."""
        found = judge(
            bundle,
            store=self.store,
            benchmarks=self.benchmarks,
            spec=self.spec,
            signers=self.signers,
            required=self.required,
        )
        return self.above(bundle, found) if self.above is not None and found.level == "RESCORED" else found
