"""The rules: each looks at one row, or at all of them, and says what cannot be, or what is odd."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from ftbench import codes
from ftbench.verify.claims.documents import Finding, Rule
from ftbench.verify.claims.printed import Printed, by_chance

CODES: dict[Rule, str] = {
    "out-of-range": codes.CLAIM_OUT_OF_RANGE,
    "scale": codes.CLAIM_SCALE,
    "no-count": codes.CLAIM_NO_COUNT,
    "other-count": codes.CLAIM_OTHER_COUNT,
    "swapped": codes.CLAIM_SWAPPED,
    "repeated": codes.CLAIM_REPEATED,
    "mean": codes.CLAIM_MEAN,
    "constant": codes.CLAIM_CONSTANT,
}
REPEATED = 2
"""Test sets on which two rows have the same number, from which it is told."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A row as numbers."""

    name: str
    line: int
    cells: Mapping[str, Printed]
    """Task → what is claimed."""
    mean: Printed | None


@dataclass(frozen=True, slots=True)
class Known:
    """What the verifier knows of the test sets."""

    items: Mapping[str, int]
    """Task → its items."""
    constants: Mapping[str, int]
    """Task → items that the best constant answer is right of, where it is known."""
    columns: Mapping[str, str]
    """Task → what the table calls it."""
    mean: str
    """What the table calls the mean."""


def of_row(claim: Claim, known: Known) -> Iterator[Finding]:
    """What is wrong with a row alone."""
    yield from _range(claim, known)
    yield from _counts(claim, known)
    yield from _within(claim, known)
    yield from _mean(claim, known)
    yield from _constant(claim, known)


def _found(rule: Rule, column: str, evidence: str, *, impossible: bool) -> Finding:
    return Finding(rule=rule, code=CODES[rule], impossible=impossible, column=column, evidence=evidence)


def _in_range(cell: Printed) -> bool:
    return 0 <= cell.value <= 1


def _range(claim: Claim, known: Known) -> Iterator[Finding]:
    told = {known.columns[task]: cell for task, cell in claim.cells.items()}
    told |= {known.mean: claim.mean} if claim.mean is not None else {}
    for column, cell in told.items():
        if not _in_range(cell):
            rule: Rule = "scale" if 1 < cell.value <= 100 and not cell.percent else "out-of-range"
            other = ", which would be right as a percentage" if rule == "scale" else ""
            evidence = f"{cell.text} is no share from 0 to 100 %{other}"
            yield _found(rule, column, evidence, impossible=True)


def _counts(claim: Claim, known: Known) -> Iterator[Finding]:
    """No count of right answers is printed so; perhaps one of another test set is, or a fraction was meant."""
    unfit = {task: cell for task, cell in claim.cells.items() if _in_range(cell) and not cell.counts(known.items[task])}
    for task, cell in unfit.items():
        items, column = known.items[task], known.columns[task]
        below, above = (Fraction(int(cell.value * items) + step, items) for step in (0, 1))
        near = f"{cell.text} is no count of {items} items: the nearest are {_percent(below)} and {_percent(above)}"
        fits = [one for one in claim.cells if _telling(cell, items, known.items[one])]
        partner = [one for one in fits if one in unfit and unfit[one].counts(items)]
        meant = Printed(cell.text, cell.value * 100, cell.unit * 100)
        if cell.value < Fraction(1, 100) and cell.percent and "%" not in cell.text and meant.counts(items):
            yield _found("scale", column, f"{near}; as a fraction among percentages it is one", impossible=True)
        elif partner:
            other = f"{known.columns[partner[0]]} ({known.items[partner[0]]} items)"
            yield _found("swapped", column, f"{near}; it fits {other}, whose number fits here", impossible=True)
        elif fits:
            others = ", ".join(f"{known.columns[one]} ({known.items[one]} items)" for one in fits)
            yield _found("other-count", column, f"{near}; it fits {others}", impossible=True)
        else:
            yield _found("no-count", column, near, impossible=True)


def _telling(cell: Printed, items: int, others: int) -> bool:
    """Whether a number fits another test set, where that tells: not one to which half of all numbers fit."""
    return others != items and bool(cell.counts(others)) and by_chance(others, cell.unit) < 0.5


def _within(claim: Claim, known: Known) -> Iterator[Finding]:
    """One number under two test sets of different sizes."""
    seen: dict[str, str] = {}
    for task, cell in claim.cells.items():
        if cell.text in seen and 0 < cell.value < 1 and known.items[seen[cell.text]] != known.items[task]:
            pair = f"{known.columns[seen[cell.text]]}, {known.columns[task]}"
            yield _found("repeated", pair, f"{cell.text} stands under both", impossible=False)
        seen.setdefault(cell.text, task)


def _mean(claim: Claim, known: Known) -> Iterator[Finding]:
    """The plain mean over test sets, of the scores themselves or of the numbers printed."""
    mean, cells = claim.mean, claim.cells
    if mean is None or len(cells) < len(known.items) or not all(map(_in_range, [*cells.values(), mean])):
        return
    low, high = (sum((_ends(cells[task], known.items[task])[end] for task in cells), Fraction(0)) for end in (0, 1))
    shown = sum((cell.value for cell in cells.values()), Fraction(0)) / len(cells)
    least, most = min(low / len(cells), shown), max(high / len(cells), shown)
    if mean.low <= most and least < mean.high:
        return
    items = sum(known.items.values())
    pooled = sum((cell.value * known.items[task] for task, cell in cells.items()), Fraction(0)) / items
    slack = max(cell.unit for cell in cells.values())
    why = "; it is the mean over all items" if mean.low - slack <= pooled < mean.high + slack else ""
    evidence = (
        f"{mean.text} is not the mean of the test sets, which lies from {_percent(least)} to {_percent(most)}{why}"
    )
    yield _found("mean", known.mean, evidence, impossible=True)


def _ends(cell: Printed, items: int) -> tuple[Fraction, Fraction]:
    """The least and the most that a cell may stand for."""
    counts = cell.counts(items)
    return (Fraction(counts[0], items), Fraction(counts[-1], items)) if counts else (cell.low, cell.high)


def _constant(claim: Claim, known: Known) -> Iterator[Finding]:
    for task, cell in claim.cells.items():
        best = known.constants.get(task)
        if best is None or not _in_range(cell):
            continue
        counts = cell.counts(known.items[task])
        if counts and counts[-1] <= best:
            share = _percent(Fraction(best, known.items[task]))
            evidence = f"{cell.text} is not above {share}, which one answer to all {known.items[task]} items gets"
            yield _found("constant", known.columns[task], evidence, impossible=False)


def repeated(claims: Sequence[Claim], known: Known) -> Iterator[tuple[int, Finding]]:
    """Position of a row → an earlier row that has the same numbers, on two test sets or more."""
    for at, claim in enumerate(claims):
        for earlier in claims[:at]:
            same = [
                task
                for task, cell in claim.cells.items()
                if task in earlier.cells and 0 < cell.value < 1 and earlier.cells[task].text == cell.text
            ]
            if len(same) >= min(REPEATED, len(known.items)):
                columns = ", ".join(known.columns[task] for task in same)
                whole = "all" if len(same) == len(claim.cells) == len(earlier.cells) else f"{len(same)}"
                evidence = f"{whole} of its numbers are those of `{earlier.name}` (line {earlier.line})"
                yield at, _found("repeated", columns, evidence, impossible=False)
                break


def _percent(value: Fraction) -> str:
    return f"{float(value) * 100:.4f} %"
