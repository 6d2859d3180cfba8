"""Bundles that were taken back: they hold no place in a table, and the reason stands beside it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from ftbench import codes
from ftbench.board.model import Refused
from ftbench.board.submission import Submission
from ftbench.result.safejson import parse_model
from ftbench.spec.model import Sha256
from ftbench.spec.primitives import Block

MAX_BYTES = 2**20
"""Largest list that is read."""


class Withdrawal(Block):
    """One bundle that no longer counts."""

    bundle: Sha256
    """sha256 of its manifest.json."""
    reason: Annotated[str, Field(min_length=1, max_length=500)]
    """Why, for readers."""


class Withdrawals(Block):
    """`withdrawn.json`."""

    format: Literal["ftbench/withdrawn/v1"] = "ftbench/withdrawn/v1"
    """Format of this document."""
    bundles: list[Withdrawal]
    """What was taken back."""


def load_withdrawn(path: Path) -> list[Withdrawal]:
    """The list in a file. Raises InvalidInput for what is none, OSError where it cannot be read."""
    return parse_model(path.read_bytes(), Withdrawals, str(path), max_bytes=MAX_BYTES).bundles


def withdraw(
    submissions: Iterable[Submission], withdrawn: Sequence[Withdrawal]
) -> tuple[list[Submission], list[Refused]]:
    """What still counts, and what was taken back as rows beside the tables.

    Whoever seals a bundle again gives it another name, so what counts and has the adapter or the answers of one that
    was taken back says so: it may be the same bundle, or an honest run that came to the same.
    """
    reasons = {one.bundle: one.reason for one in withdrawn}
    given = list(submissions)
    taken = [one for one in given if one.verdict.bundle in reasons and one.verdict.result is not None]
    kept, gone = [], []
    for one in given:
        bundle = one.verdict.bundle
        if bundle is None or bundle not in reasons:
            twins = [other for other in taken if _same_run(one, other)]
            kept.append(replace(one, taken_back=_told(twins[0], reasons)) if twins else one)
            continue
        gone.append(
            Refused(
                path=one.path,
                bundle=bundle,
                spec_hash=one.verdict.spec_hash,
                level=one.verdict.level,
                code=codes.WITHDRAWN,
                reason=reasons[bundle],
            )
        )
    return kept, gone


def _same_run(one: Submission, other: Submission) -> bool:
    """Whether two bundles of one benchmark have one adapter, or the same answers to the last digit."""
    if one.verdict.result is None or one.result.spec_hash != other.result.spec_hash:
        return False
    return one.result.adapter == other.result.adapter or (one.answers is not None and one.answers == other.answers)


def _told(other: Submission, reasons: Mapping[str, str]) -> str:
    bundle = other.verdict.bundle or ""
    return f"seed {other.result.seed}: as bundle {bundle[:12]}, which was taken back ({reasons[bundle]})"
