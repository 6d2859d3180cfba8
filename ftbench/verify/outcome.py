"""The ways in which a check can end beside passing, and the words for it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

SHOWN = 5
"""Problems that a failure spells out; the rest are counted."""


@dataclass(frozen=True, slots=True)
class Failure:
    """What a check found wrong, in words with figures."""

    evidence: str


class NotRun(Exception):
    """A check cannot be made: something that it needs is not here. It says what."""


class LeftOut(NotRun):
    """A check needs a file that the verifier did not bring. The level goes on without it, and the verdict says so."""

    def __init__(self, name: str) -> None:
        super().__init__(f"`{name}` was not brought")


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
