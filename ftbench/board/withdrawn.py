"""Bundles that were taken back: they hold no place in a table, and the reason stands beside it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
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
    """What still counts, and what was taken back as rows beside the tables."""
    reasons = {one.bundle: one.reason for one in withdrawn}
    kept, gone = [], []
    for one in submissions:
        bundle = one.verdict.bundle
        if bundle is None or bundle not in reasons:
            kept.append(one)
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
