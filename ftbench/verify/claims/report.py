"""From a table and a spec to what arithmetic says of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from ftbench import codes
from ftbench.data.store import Store
from ftbench.diagnostics import Diagnostic, Place, printable
from ftbench.errors import InvalidInput, MissingResource
from ftbench.spec.answers import right_option
from ftbench.spec.model import Spec
from ftbench.spec.pins import Pins
from ftbench.spec.sources import HubSource
from ftbench.spec.tasks import ChoiceTask, Task
from ftbench.verify.claims import rules, table
from ftbench.verify.claims.documents import ClaimedRow, Claims, Finding, Tested
from ftbench.verify.claims.printed import Printed, by_chance, printed, read
from ftbench.verify.template import render

ALWAYS = (
    "That anybody evaluated anything: numbers that some count gives may be invented all the same.",
    "Which items, prompts, rules and models these numbers are of.",
)


def report(
    path: Path,
    spec: Spec,
    pins: Pins | None,
    store: Store,
    *,
    named: Mapping[str, str] | None = None,
    constants: Mapping[str, int] | None = None,
) -> Claims:
    """Hold every row of the table at `path` to the sizes of the spec's test sets.

    `named`: column → task, where their names differ. `constants`: task → items that the best constant answer is right
    of; where the items are in the store it is counted. Raises InvalidInput (FTB760) for what is no table of these.
    """
    tasks = {task.name: task for task in spec.evaluation.scored}
    items = {name: size for name, task in tasks.items() if (size := _size(task, pins)) is not None}
    found = table.read(path, list(tasks.values()), named or {})
    notes = [f"{name}: neither spec nor pins say how many items it has." for name in found.columns if name not in items]
    columns = {task: column for task, column in found.columns.items() if task in items}
    percent = _percent(path, found)
    claims = [_claim(path, row, columns, percent=percent) for row in found.rows]
    best = {name: best for name in columns if (best := _constant(tasks[name], pins, store)) is not None}
    best |= {name: count for name, count in (constants or {}).items() if name in columns}
    known = rules.Known({name: items[name] for name in columns}, best, columns, found.mean or "mean")
    findings: list[list[Finding]] = [list(rules.of_row(claim, known)) for claim in claims]
    for at, one in rules.repeated(claims, known):
        findings[at].append(one)
    return Claims(
        table=str(path),
        name=spec.metadata.name,
        version=spec.metadata.version,
        scale="percent" if percent else "fraction",
        columns=[_tested(name, claims, known) for name in columns],
        rows=[
            ClaimedRow(name=printable(claim.name), line=claim.line, findings=told)
            for claim, told in zip(claims, findings, strict=True)
        ],
        impossible=sum(any(one.impossible for one in told) for told in findings),
        not_checked=[*notes, *_missing(tasks, found, known, claims), *ALWAYS],
    )


def _size(task: Task, pins: Pins | None) -> int | None:
    """Items of a test set: as its pin counted them, else as its source must come to."""
    pin = pins.sources.get(f"task:{task.name}") if pins is not None else None
    if pin is not None and pin.rows is not None:
        return pin.rows
    return task.source.rows if isinstance(task.source, HubSource) else None


def _constant(task: Task, pins: Pins | None, store: Store) -> int | None:
    """Items that the best constant answer is right of, where the items are here."""
    pin = pins.sources.get(f"task:{task.name}") if pins is not None else None
    if pin is None or pin.digest is None or not isinstance(task, ChoiceTask):
        return None
    try:
        rows = store.rows(pin.digest)
    except MissingResource:
        return None
    due = Counter(right_option(row[task.answer], [render(one, row) for one in task.options]) for row in rows)
    return max(due.values())


def _percent(path: Path, found: table.Table) -> bool:
    """Whether the table is in percent: most of its numbers are above 1, or have the sign."""
    numbers = []
    for row in found.rows:
        for text in row.cells.values():
            try:
                value, _, sign = read(text)
            except ValueError:
                _refuse(path, row, text)
            numbers.append(sign or value > 1)
    return 2 * sum(numbers) >= len(numbers)


def _claim(path: Path, row: table.Row, columns: Mapping[str, str], *, percent: bool) -> rules.Claim:
    def cell(text: str) -> Printed:
        try:
            return printed(text, percent=percent)
        except ValueError:
            _refuse(path, row, text)

    cells = {task: cell(row.cells[task]) for task in columns if task in row.cells}
    return rules.Claim(row.name, row.line, cells, cell(row.mean) if row.mean is not None else None)


def _tested(name: str, claims: Sequence[rules.Claim], known: rules.Known) -> Tested:
    units = Counter(claim.cells[name].unit for claim in claims if name in claim.cells)
    unit, _ = units.most_common(1)[0] if units else (None, 0)
    return Tested(
        column=known.columns[name],
        task=name,
        items=known.items[name],
        digits=next(c.cells[name].digits for c in claims if name in c.cells and c.cells[name].unit == unit)
        if unit
        else 0,
        by_chance=by_chance(known.items[name], unit) if unit else 1.0,
    )


def _missing(
    tasks: Mapping[str, Task], found: table.Table, known: rules.Known, claims: Sequence[rules.Claim]
) -> list[str]:
    told = [f"{name}: the table has no column of it." for name in tasks if name not in found.columns]
    told += [f"Column {printable(one)[:60]}: it is none of the test sets." for one in found.left[:10]]
    if found.mean is None:
        told.append("The mean: the table has no column of it.")
    elif len(known.items) < len(tasks) or any(len(claim.cells) < len(known.items) for claim in claims):
        told.append("The mean of rows that lack a test set.")
    without = [name for name in known.items if name not in known.constants and isinstance(tasks[name], ChoiceTask)]
    if without:
        named = ", ".join(without)
        told.append(
            f"Whether a constant answer does as well on {named}: the items are not here (`--constant` tells it)."
        )
    return told


def _refuse(path: Path, row: table.Row, text: str) -> NoReturn:
    message = f"`{printable(text)[:60]}` in row `{printable(row.name)[:60]}` is no number such as 59.00, 0.59 or 59 %"
    raise InvalidInput(Diagnostic(codes.BAD_TABLE, message, Place(str(path), row.line, 1)))
