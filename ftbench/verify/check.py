"""What a check is. Whatever a file of `checks/` needs comes from here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ftbench.result.documents import Level
from ftbench.verify.context import Context
from ftbench.verify.outcome import Failure, NotRun, judge, plural

__all__ = ["Check", "Failure", "NotRun", "judge", "plural"]


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that is established about a bundle."""

    id: str
    """Stable name."""
    level: Level
    """The level that it belongs to."""
    code: str
    """Diagnostic code of its failure."""
    title: str
    """What it establishes, in a sentence."""
    run: Callable[[Context], str | Failure]
    """Returns what was compared, or a Failure. Raises NotRun; any other exception counts as a failure."""
