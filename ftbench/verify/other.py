"""The other bundle that a run is held to: somebody else's run of the same entry."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ftbench.result.documents import ReproducedBy, Verdict
from ftbench.verify.policy import Policy

if TYPE_CHECKING:
    from ftbench.verify.context import Context


@dataclass(frozen=True, slots=True)
class By:
    """Where another run's bundle lies, and whose runs count."""

    bundle: Path
    """A folder or an archive."""
    policy: Policy
    """The reader's."""


@dataclass(frozen=True, slots=True)
class Other:
    """Another bundle, judged by the same verifier, and whose runs count."""

    name: str
    """What it is called in sentences: its path."""
    context: Context
    verdict: Verdict
    policy: Policy

    def named(self) -> ReproducedBy | None:
        """What a verdict says of it; None where nobody knows who signed it."""
        signature = self.context.signature
        if signature is None or signature.identity is None:
            return None
        own = signature.identity in self.policy.own
        return ReproducedBy(bundle=self.context.manifest_digest, signature=signature, own=own)


def promised(one: Context, other: Context) -> bool:
    """Whether two runs of one entry must end at the same digests: on CPUs of one system with the same vector
    instructions, by the plan's stack. With others they do not (measured: docs/design/031)."""
    both = (one, other)
    return all(c.result.bit_reproducible and not c.result.unpinned for c in both) and (
        one.environment.system == other.environment.system
        and one.environment.instructions is not None
        and one.environment.instructions == other.environment.instructions
    )
