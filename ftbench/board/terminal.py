"""The board on a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from ftbench.board import breakdown, budgets, text
from ftbench.board.model import Board, BundleRef, Table
from ftbench.board.render import COLUMNS, cells, conditions, findings, heading, reference_cells, shown
from ftbench.diagnostics import printable

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text

NUMBERS = {"Rank", "Traffic MiB", "Parameters", "Memory MiB", "Device MiB", "Training", "Seeds"}
FOLDED = {"Notes", "Entry", "Model", "To target"}
"""Columns that may take several lines."""
PLAIN = 200
"""Characters a line of what is written to a file."""
FOLD = 30
"""Characters that are kept for a folded column."""
LEAST = 8
"""Characters that whose row it is has on the narrowest screen."""
EDGES = 3
"""Characters between two columns."""
SPARED = (
    *("Notes", "Model", "Training", "Memory MiB", "Device MiB", "Parameters", "To target", "Traffic MiB", "SE"),
    *("Gain over untuned", "Under faults", "Level", "Speaks of"),
)
"""Columns that are left out, one after the other, until the table fits its width."""


def terminal(
    board: Board, width: int = PLAIN, *, explain: bool = False, unfold: bool = False
) -> Iterator[RenderableType]:
    """What to print, piece by piece. Every cell is plain text without markup. Narrow screens show fewer columns.

    `explain`: the long notes too. `unfold`: a line for each run below its row.
    """
    for table in board.tables:
        yield _text(heading(table), "bold")
        yield _text(conditions(table), "dim")
        if table.reading:
            yield _text(table.reading)
        yield _table(table, width, unfold)
        for line in [*findings(table), *(table.clusters if explain else ())]:
            yield _text(line)
        yield from _notes(table, width)
        yield _text(breakdown.HEADING, "dim")
        yield _by_task(table)
        if budgets.limits(table):
            yield _text(budgets.HEADING, "dim")
            yield _plain_grid(budgets.header(table), budgets.lines(table))
        yield _text("")
    if not board.tables:
        yield _text(f"No bundle reaches {board.required}.", "yellow")
        yield _text("")
    if board.refused:
        yield _text("Not ranked", "bold")
        for one in board.refused:
            yield _text(f"  {one.path}: {one.code} {one.reason}", "red")
        yield _text("")
    for note in board.how_to_read:
        yield _text(note, "dim")
    for note in board.notes if explain else ():
        yield _text(note, "dim")


def _notes(table: Table, width: int) -> Iterator[Text]:
    """Notes of rows where their column was left out."""
    if COLUMNS.index("Notes") in fitting(table, width):
        return
    for row in table.rows:
        if row.notes:
            yield _text(f"{row.label or ', '.join(row.names)}: {'; '.join(row.notes)}", "dim")


def fitting(table: Table, width: int) -> list[int]:
    """Positions of the columns that fit beside each other into `width` characters."""
    rows = [list(COLUMNS), *(_short(cells(row)) for row in table.rows)]
    rows += [_short(reference_cells(reference)) for reference in table.references]
    needed = {}
    for i in shown(table):
        widest = max(len(row[i]) for row in rows)
        needed[i] = min(widest, FOLD) if COLUMNS[i] in FOLDED else widest
    for column in SPARED:
        if sum(needed.values()) + EDGES * len(needed) <= width:
            break
        needed.pop(COLUMNS.index(column), None)
    entry = COLUMNS.index("Entry")
    if sum((needed | {entry: LEAST}).values()) + EDGES * len(needed) > width:
        needed.pop(COLUMNS.index("Seeds"), None)  # what stays is rank, entry and score
    return list(needed)


def _table(table: Table, width: int, unfold: bool) -> RenderableType:
    from rich import box
    from rich.table import Table as Grid

    rows = []
    for row in table.rows:
        rows.append((_short(cells(row)), ""))
        rows += [(seed_cells(one), "dim") for one in row.bundles if unfold]
    rows += [(_short(reference_cells(reference)), "dim") for reference in table.references]
    columns = fitting(table, width)
    grid = Grid(box=box.SIMPLE_HEAD, pad_edge=False)
    for i in columns:
        column = COLUMNS[i]
        grid.add_column(
            _text(column),
            justify="right" if column in NUMBERS else "left",
            overflow="fold",
            no_wrap=column not in FOLDED,
            min_width=LEAST if column == "Entry" else None,
        )
    for row_cells, style in rows:
        grid.add_row(*_texts([row_cells[i] for i in columns]), style=style)
    return grid


def _short(found: Sequence[str]) -> list[str]:
    """Cells for a screen: what ± is over stands below the table."""
    return [cell.removesuffix(" over seeds").removesuffix(" over clients") for cell in found]


def seed_cells(bundle: BundleRef) -> list[str]:
    """One run of a row in the order of COLUMNS: what a row unfolds to."""
    told = {"Entry": f"  seed {bundle.seed}", "Score": text.percent(bundle.score), "Level": bundle.level}
    return [told.get(column, "") for column in COLUMNS]


def _by_task(table: Table) -> RenderableType:
    from rich import box
    from rich.table import Table as Grid

    grid = Grid(box=box.SIMPLE_HEAD, pad_edge=False)
    for i, column in enumerate(breakdown.header(table)):
        grid.add_column(_text(column), justify="right" if i > 1 else "left", overflow="fold")
    names = breakdown.tasks(table)
    for line in breakdown.lines(table):
        grid.add_row(*_texts(breakdown.cells(line, names)), style="" if line.ranks else "dim")
    return grid


def _plain_grid(header: Sequence[str], lines: Iterable[Sequence[str]]) -> RenderableType:
    from rich import box
    from rich.table import Table as Grid

    grid = Grid(box=box.SIMPLE_HEAD, pad_edge=False)
    for i, column in enumerate(header):
        grid.add_column(_text(column), justify="right" if i else "left", overflow="fold")
    for line in lines:
        grid.add_row(*_texts(line))
    return grid


def _texts(plain: Sequence[str]) -> list[Text]:
    return [_text(cell) for cell in plain]


def _text(plain: str, style: str = "") -> Text:
    from rich.text import Text

    return Text(printable(plain), style=style)


def plain(board: Board, *, width: int = PLAIN, explain: bool = False, unfold: bool = False) -> str:
    """The same as text without colour: for files and pipes."""
    from io import StringIO

    from rich.console import Console

    out = StringIO()
    console = Console(file=out, width=width, color_system=None, markup=False, highlight=False, emoji=False)
    for piece in terminal(board, width, explain=explain, unfold=unfold):
        console.print(piece)
    return "\n".join(line.rstrip() for line in out.getvalue().split("\n"))
