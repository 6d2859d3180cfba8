"""What a check is, and the three ways it can end."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ftbench.result.models import Level

if TYPE_CHECKING:
    from ftbench.verify.context import Context

SHOWN = 5
"""Problems that a failure spells out; the rest are counted."""


@dataclass(frozen=True, slots=True)
class Failure:
    """What a check found wrong, in words with figures."""

    evidence: str


class NotRun(Exception):
    """A check cannot be made: something that it needs is not here. It says what."""


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


def judge(problems: Iterable[str], evidence: str) -> str | Failure:
    """`evidence` if there are no problems, else a Failure that tells the first few."""
    found = list(problems)
    if not found:
        return evidence
    more = f"; and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
    return Failure("; ".join(found[:SHOWN]) + more)


def plural(number: int, noun: str) -> str:
    """`1 round`, `5 rounds`; nouns in -y become -ies."""
    if number == 1:
        return f"1 {noun}"
    return f"{number} {noun[:-1]}ies" if noun.endswith("y") else f"{number} {noun}s"
