"""The board: bundles that reach the level required, a table for each spec hash and division, ranks inside it only."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from ftbench import codes
from ftbench.board.compare import Contender, paired, ranks
from ftbench.board.model import Board, Refused, Table
from ftbench.board.references import references
from ftbench.board.rows import by_entry, contender, row
from ftbench.board.submission import Submission
from ftbench.compile.plan import Plan
from ftbench.result.documents import LEVELS, Level
from ftbench.spec.model import Spec

NOTES = (
    "Intervals cover item sampling only: not the choice of seeds, nor of the data.",
    "Ranks are intervals: two rows share places when a pairwise test cannot tell them apart; the tests are not"
    " corrected for their number.",
    "One scoring of each task ranks; others are reported beside it. Text that holds no answer is wrong in every scoring"
    " but where the incumbent's rule says otherwise.",
    "References are not ranked. Of local-only models the mean over clients is shown, ± their standard deviation.",
    "Time and memory are reported by the submitter and not verified.",
    "Up to RESCORED, a level says that a bundle is consistent with itself and its benchmark, not that its run took"
    " place as told.",
)


def build(
    submissions: Iterable[Submission],
    refused: Iterable[Refused] = (),
    *,
    plans: Mapping[str, Plan] | None = None,
    required: Level = "RESCORED",
) -> Board:
    """Rank what reaches `required`; list the rest with its reason. `plans`: spec hash → the benchmark, where known."""
    kept: dict[tuple[str, str], list[Submission]] = defaultdict(list)
    below = list(refused)
    for one in once(submissions):
        reason = why_not(one, required)
        if reason is None:
            kept[one.result.spec_hash, one.division].append(one)
        else:
            below.append(reason)
    tables = [table(spec_hash, group, (plans or {}).get(spec_hash)) for (spec_hash, _), group in kept.items()]
    return Board(
        required=required,
        tables=sorted(tables, key=lambda one: (one.name, version_key(one.version), one.spec_hash, one.division)),
        refused=sorted(below, key=lambda one: (one.path, one.bundle or "", one.code, one.reason)),
        notes=list(NOTES),
    )


def once(submissions: Iterable[Submission]) -> list[Submission]:
    """One of each bundle: of copies (a folder and its archive, say) the one that was believed furthest."""
    best: dict[str, Submission] = {}
    nameless = []
    for one in sorted(submissions, key=lambda one: one.path):
        known = one.verdict.bundle
        if known is None:
            nameless.append(one)
        elif known not in best or LEVELS.index(one.verdict.level) > LEVELS.index(best[known].verdict.level):
            best[known] = one
    return [*best.values(), *nameless]


def why_not(one: Submission, required: Level) -> Refused | None:
    """Why a bundle is not ranked, or None where it is."""
    verdict = one.verdict

    def because(code: str, reason: str) -> Refused:
        return Refused(
            path=one.path,
            bundle=verdict.bundle,
            spec_hash=verdict.spec_hash,
            level=verdict.level,
            code=code,
            reason=reason,
        )

    if LEVELS.index(verdict.level) < LEVELS.index(required):
        return because(codes.BELOW_LEVEL, f"{verdict.level}, {required} is required: {stumble(one)}")
    if verdict.result is None or verdict.bundle is None or one.entry is None:
        return because(codes.NO_RESULT, "its result or entry could not be read")
    if verdict.result.smoke:
        return because(codes.SMOKE, "the result of a shortened trial run (`--smoke`)")
    return None


def stumble(one: Submission) -> str:
    """The first check that failed or, where none did, that was not run."""
    for outcome in ("failed", "not-run"):
        for check in one.verdict.checks:
            if check.outcome == outcome:
                return f"{check.check}: {check.evidence}"
    return "no further check was made"


def table(spec_hash: str, group: Sequence[Submission], plan: Plan | None) -> Table:
    """Rank the rows of one spec hash and one division."""
    spec: Spec | None = plan.typed_spec() if plan else None
    confidence = spec.evaluation.confidence if spec else 0.95
    groups = by_entry(group)
    rows = [row(runs, spec.seeds.runs if spec else (), group) for runs in groups]
    contenders = [contender(runs, found) for runs, found in zip(groups, rows, strict=True)]
    ranked = [
        found.model_copy(update={"rank": place})
        for found, place in zip(rows, ranks(contenders, confidence), strict=True)
    ]
    first = group[0].result
    return Table(
        name=first.name,
        version=first.version,
        title=plan.metadata.title if plan else "",
        reading=(plan.reporting.reading or "") if plan and plan.reporting else "",
        status=plan.metadata.status if plan else "unknown",
        spec_hash=spec_hash,
        division=group[0].division,
        confidence=confidence,
        compared_by=_compared_by(contenders),
        rows=sorted(ranked, key=lambda one: (-one.score.value, one.rank.best, one.rank.worst, one.entry)),
        references=references(group, groups),
    )


def _compared_by(contenders: Sequence[Contender]) -> Literal["paired", "intervals", "mixed"]:
    ways = {paired(a, b) for i, a in enumerate(contenders) for b in contenders[i + 1 :]}
    if ways == {True, False}:
        return "mixed"
    return "intervals" if ways == {False} else "paired"


def version_key(version: str) -> tuple[list[int], str]:
    """Order versions by number where they have numbers."""
    return [int(part) for part in version.split(".") if part.isdecimal()], version
