"""The board on a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from ftbench.board import breakdown, budgets
from ftbench.board.model import Board, Table
from ftbench.board.render import COLUMNS, cells, conditions, heading, reference_cells, shown
from ftbench.diagnostics import printable

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text

NUMBERS = {"Rank", "Traffic MiB", "Parameters", "Memory MiB", "Device MiB", "Training", "Seeds"}
FOLDED = {"Notes", "Entry", "Model"}
WIDE = 150
"""Characters that the whole table needs; below that the columns of SPARED are left out."""
SPARED = {"Parameters", "Memory MiB", "Device MiB", "Training", "Notes"}


def terminal(board: Board, width: int = WIDE) -> Iterator[RenderableType]:
    """What to print, piece by piece. Every cell is plain text without markup. Narrow screens show fewer columns."""
    for table in board.tables:
        yield _text(heading(table), "bold")
        yield _text(conditions(table), "dim")
        if table.reading:
            yield _text(table.reading)
        yield _table(table, width)
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
    for note in board.notes:
        yield _text(note, "dim")


def _table(table: Table, width: int) -> RenderableType:
    from rich import box
    from rich.table import Table as Grid

    rows = [(cells(row), "") for row in table.rows]
    rows += [(reference_cells(reference), "dim") for reference in table.references]
    columns = [i for i in shown(table) if width >= WIDE or COLUMNS[i] not in SPARED]
    grid = Grid(box=box.SIMPLE_HEAD, pad_edge=False)
    for i in columns:
        column = COLUMNS[i]
        grid.add_column(
            _text(column),
            justify="right" if column in NUMBERS else "left",
            overflow="fold",
            no_wrap=column not in FOLDED and column != "Score",
        )
    for row, style in rows:
        grid.add_row(*_texts([row[i] for i in columns]), style=style)
    return grid


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


def plain(board: Board) -> str:
    """The same as text without colour, 200 columns wide: for files and pipes."""
    from io import StringIO

    from rich.console import Console

    out = StringIO()
    console = Console(file=out, width=200, color_system=None, markup=False, highlight=False, emoji=False)
    for piece in terminal(board):
        console.print(piece)
    return "\n".join(line.rstrip() for line in out.getvalue().split("\n"))
