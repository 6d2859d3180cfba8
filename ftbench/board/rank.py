"""The board: bundles that reach the level required, a table for each spec hash and division, ranks inside it only."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from ftbench import codes
from ftbench.board import breakdown
from ftbench.board import references as beside
from ftbench.board.clusters import Clustering
from ftbench.board.compare import Comparison, Pair, compare, compared_by, ranks
from ftbench.board.model import Board, Compared, Reference, Refused, Table
from ftbench.board.rows import by_entry, choices, contender, named, row
from ftbench.board.submission import Submission
from ftbench.compile.plan import Plan
from ftbench.result.documents import LEVELS, Level
from ftbench.spec.model import Spec

READING = (
    "A rank is a span of places; rows that share places are not told apart.",
    "False separations: in a table of equal rows at most 1 − confidence of tables.",
    "One seed speaks of this adapter, three or more of this method; ± is over seeds.",
    "An interval is for one row; only ranks say whether two rows differ.",
    "References (in brackets) are compared with every entry and hold no place.",
)
"""How to read a table, in five lines."""
NOTES = (
    "Ranks: every pair of entries, and every entry with every reference, is tested on the items that both answered, by"
    " sign flips, studentised, the largest statistic, step-down (Westfall and Young 1993; Romano and Wolf 2005); the"
    " items of one cluster are flipped together. The error is that of the whole table (docs/scoring.md).",
    "Intervals of one adapter cover item sampling only: not the choice of seeds, nor of the data. A method's score has"
    " an interval over items and seeds; its seeds' variance is a part of its tests too.",
    "The smallest difference is what this table would see with a chance of 80 %: below it, equal places say little.",
    "One scoring of each task ranks; others are reported beside it. Text that holds no answer is wrong in every scoring"
    " but where the incumbent's rule says otherwise.",
    "Of local-only models the mean over clients is shown, ± their standard deviation.",
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
    clusters: Mapping[str, Clustering] | None = None,
) -> Board:
    """Rank what reaches `required`; list the rest with its reason.

    `plans` and `clusters`: spec hash → the benchmark and the clusters of its items, where known."""
    kept: dict[tuple[str, str], list[Submission]] = defaultdict(list)
    counted, copied = once(submissions)
    below = [*refused, *copied]
    for one in counted:
        reason = why_not(one, required)
        if reason is None:
            kept[one.result.spec_hash, one.division].append(one)
        else:
            below.append(reason)
    tables = [
        table(spec_hash, group, (plans or {}).get(spec_hash), (clusters or {}).get(spec_hash))
        for (spec_hash, _), group in kept.items()
    ]
    return Board(
        required=required,
        tables=sorted(tables, key=lambda one: (one.name, version_key(one.version), one.spec_hash, one.division)),
        refused=sorted(below, key=lambda one: (one.path, one.bundle or "", one.code, one.reason)),
        how_to_read=list(READING),
        notes=list(NOTES),
    )


def once(submissions: Iterable[Submission]) -> tuple[list[Submission], list[Refused]]:
    """One of each bundle, of copies (a folder and its archive) the one that was believed furthest; and the others."""
    best: dict[tuple[str, bool], Submission] = {}
    nameless = []
    found = sorted(submissions, key=lambda one: one.path)
    for one in found:
        # A carried result is of the same bundle, and under another hash.
        known = (one.verdict.bundle or "", one.carried)
        if one.verdict.bundle is None:
            nameless.append(one)
        elif known not in best or LEVELS.index(one.verdict.level) > LEVELS.index(best[known].verdict.level):
            best[known] = one
    kept = {id(one) for one in [*best.values(), *nameless]}
    copies = []
    for one in found:
        original = best.get((one.verdict.bundle or "", one.carried))
        # The very same path twice is one bundle that was named twice, nothing to tell of.
        if id(one) not in kept and original is not None and one.path != original.path:
            kept.add(id(one))
            copies.append(_copy(one, original))
    return [*best.values(), *nameless], copies


def _copy(one: Submission, original: Submission) -> Refused:
    whole = one.verdict.level == original.verdict.level
    reason = (
        f"the same bundle as {original.path}, counted once"
        if whole
        else f"has the manifest of {original.path} and is not that bundle: {one.verdict.level}, {stumble(one)}"
    )
    return Refused(
        path=one.path,
        bundle=one.verdict.bundle,
        spec_hash=one.verdict.spec_hash,
        level=one.verdict.level,
        code=codes.COPY if whole else codes.TAMPERED_COPY,
        reason=reason,
    )


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


def table(
    spec_hash: str, group: Sequence[Submission], plan: Plan | None, clustering: Clustering | None = None
) -> Table:
    """Rank the rows of one spec hash and one division, and compare them with the references."""
    spec: Spec | None = plan.typed_spec() if plan else None
    confidence = spec.evaluation.confidence if spec else 0.95
    items = clustering or Clustering()
    groups = by_entry(group)
    due = spec.seeds.runs if spec else ()
    rows = [row(runs, due, group, confidence=confidence, clusters=items.of_task) for runs in groups]
    names = named(rows, [choices(runs) for runs in groups])
    references = beside.references(group, groups)
    contenders = [contender(runs, found) for runs, found in zip(groups, rows, strict=True)]
    contenders += [beside.contender(one, group) for one in references]
    pairs = [(a, b) for a in range(len(rows)) for b in range(a + 1, len(contenders))]
    comparison = compare(contenders, confidence, pairs=pairs, clusters=items.of_task, seed=int(spec_hash[:15], 16))
    ranked = [
        found.model_copy(update={"rank": place, "label": name})
        for found, name, place in zip(rows, names, ranks(len(rows), comparison.pairs), strict=True)
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
        compared_by=_compared_by([one for one in comparison.pairs if one.b < len(rows)]),
        rows=sorted(ranked, key=lambda one: (-one.score.value, one.rank.best, one.rank.worst, one.entry)),
        references=[_placed(one, len(rows) + place, comparison.pairs) for place, one in enumerate(references)],
        comparisons=_told(comparison, [*names, *(breakdown.who(one, model=True) for one in references)]),
        smallest_difference=comparison.smallest,
        clusters=list(items.told),
    )


def _placed(reference: Reference, place: int, pairs: Sequence[Pair]) -> Reference:
    """A reference with how many entries are certainly better and worse."""
    found = [one for one in pairs if one.b == place]
    above = sum(one.apart and one.difference > 0 for one in found)
    below = sum(one.apart and one.difference < 0 for one in found)
    return reference.model_copy(update={"above": above, "below": below, "compared": len(found)})


def _told(comparison: Comparison, names: Sequence[str]) -> list[Compared]:
    return [
        Compared(
            a=names[one.a],
            b=names[one.b],
            difference=one.difference,
            standard_error=one.error,
            clustered_error=one.clustered,
            p_value=one.p_value,
            apart=one.apart,
        )
        for one in comparison.pairs
    ]


def _compared_by(pairs: Sequence[Pair]) -> Literal["paired", "intervals", "mixed"]:
    ways = compared_by(pairs)
    if ways == {True, False}:
        return "mixed"
    return "intervals" if ways == {False} else "paired"


def version_key(version: str) -> tuple[list[int], str]:
    """Order versions by number where they have numbers."""
    return [int(part) for part in version.split(".") if part.isdecimal()], version
