"""The second block of a table: what stands behind each score, task by task, by every scoring."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ftbench.board import text
from ftbench.board.model import Estimate, Reference, Row, Table, TaskFigure

HEADING = "By task and scoring"
RANKS = "ranks"
ONLY = "beside"


@dataclass(frozen=True)
class Line:
    """One model by one scoring."""

    who: str
    scoring: str
    ranks: bool
    mean: Estimate
    tasks: Mapping[str, TaskFigure]


def tasks(table: Table) -> list[str]:
    """Every task of the table, in the order of names."""
    return sorted({task for row in _all(table) for task in row.tasks})


def header(table: Table) -> list[str]:
    """The block's columns, not escaped yet."""
    return ["Entry", "Scoring", "Mean", *(_sized(task, table) for task in tasks(table))]


def lines(table: Table) -> Iterator[Line]:
    """Entries in their order, then references; of each the scoring that ranks comes first."""
    for row in table.rows:
        yield from _lines(row.label or ", ".join(row.names), row)
    for reference in table.references:
        yield from _lines(who(reference, model=True), reference)


def cells(line: Line, names: Sequence[str]) -> list[str]:
    """A line in the order of `header`, as plain text that is not escaped yet."""
    scoring = f"{line.scoring} ({RANKS if line.ranks else ONLY})"
    return [line.who, scoring, text.percent(line.mean.value), *(_cell(line.tasks.get(name)) for name in names)]


def who(reference: Reference, *, model: bool = False) -> str:
    """What a reference is called in the column of entries; with `model` the base model's name where it has no entry."""
    kind = f"local, {text.count(reference.models)} clients" if reference.kind == "local" else reference.kind
    names = reference.names or ([reference.model.name] if model and reference.model else [])
    return f"({kind}: {', '.join(names)})" if names else f"({kind})"


def _all(table: Table) -> list[Row | Reference]:
    return [*table.rows, *table.references]


def _lines(name: str, row: Row | Reference) -> Iterator[Line]:
    ranking = ", ".join(sorted({one.scoring for one in row.tasks.values()}))
    yield Line(name, ranking, True, row.score, row.tasks)
    for scoring, other in sorted(row.also.items()):
        yield Line(name, scoring, False, other.score, other.tasks)


def _cell(figure: TaskFigure | None) -> str:
    if figure is None:
        return "—"
    shown = text.percent(figure.score.value)
    return f"{shown} ({figure.unparsable:,.0f} unparsable)" if figure.unparsable else shown


def _sized(task: str, table: Table) -> str:
    sizes = {row.tasks[task].items for row in _all(table) if task in row.tasks}
    return f"{task} ({', '.join(text.count(size) for size in sorted(sizes))})"
