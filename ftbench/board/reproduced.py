"""Rows that somebody else ran whole: bundles of one entry and seed by different signers, held to each other."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from ftbench.board.submission import Submission
from ftbench.diagnostics import printable
from ftbench.result.documents import LEVELS, Verdict

Hold = Callable[[Path, Path], Verdict]
"""Verifies the bundle at the first path, held to the one at the second, by a reader's signers and policy."""


def with_reproductions(given: Sequence[Submission], paths: Mapping[str, Path], hold: Hold) -> list[Submission]:
    """The submissions, those raised to REPRODUCED that another signer's run gave that level; a copy is told as such.

    `paths`: name in tables → where the bundle lies.
    """
    alike: dict[tuple[str, str, int], list[Submission]] = defaultdict(list)
    for one in given:
        if not one.carried and one.verdict.signature is not None and one.path in paths and _rescored(one):
            alike[one.result.spec_hash, one.key, one.result.seed].append(one)
    raised = {one.path: _raised(one, group, paths, hold) for group in alike.values() for one in group}
    return [raised.get(one.path, one) for one in given]


def _rescored(one: Submission) -> bool:
    return LEVELS.index(one.verdict.level) >= LEVELS.index("RESCORED")


def _raised(one: Submission, group: Sequence[Submission], paths: Mapping[str, Path], hold: Hold) -> Submission:
    told = []
    for other in group:
        mine, theirs = one.verdict.signature, other.verdict.signature
        if mine is None or theirs is None or mine.key == theirs.key:
            continue
        found = hold(paths[one.path], paths[other.path])
        if found.reproduced_by is not None:
            who = printable(found.reproduced_by.signature.identity or "")
            own = ", the reader" if found.reproduced_by.own else ""
            return replace(one, verdict=found, decided=_and(one.decided, f"REPRODUCED by {who}{own} ({other.path})"))
        if any(check.check == "other-apart" and check.outcome == "failed" for check in found.checks):
            told.append(f"identical to {other.path}")
    return replace(one, decided=_and(one.decided, *told)) if told else one


def _and(*notes: str) -> str:
    return "; ".join(note for note in notes if note)
