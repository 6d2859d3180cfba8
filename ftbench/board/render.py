"""The board as Markdown or JSON. Same board, same bytes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from ftbench.board import breakdown, budgets, text
from ftbench.board.model import Board, Reference, Row, Table

COLUMNS = (
    "Rank",
    "Entry",
    "Model",
    "Score",
    "Gain over untuned",
    "Under faults",
    "To target",
    "Level",
    "Traffic MiB",
    "Parameters",
    "Memory MiB",
    "Device MiB",
    "Training",
    "Seeds",
    "SE",
    "Speaks of",
    "Notes",
)
CLAIMS = {"adapter": "this adapter", "adapters": "these adapters", "method": "this method"}
"""What a row speaks of, in words."""
OPTIONAL = {"Under faults", "To target", "Device MiB", "SE", "Notes"}
"""Columns that are left out where they say nothing of any row."""


def cells(row: Row) -> list[str]:
    """A ranked row in the order of COLUMNS, as plain text that is not escaped yet."""
    spread = f" ±{text.percent(row.spread)} over seeds" if row.spread is not None else ""
    return [
        text.rank(row.rank),
        row.label or ", ".join(row.names),
        model_name(row),
        text.estimate(row.score) + spread,
        text.estimate(row.gain, signed=True) + (" (no gain)" if "mean" in row.constant else ""),
        "" if row.robustness is None else text.estimate(row.robustness, signed=True),
        "" if row.target is None else budgets.describe_reached(row.target),
        row.level,
        text.mib(row.bytes_down + row.bytes_up),
        text.count(row.trainable_parameters),
        "—" if row.peak_memory_bytes is None else text.mib(row.peak_memory_bytes),
        "" if row.peak_device_bytes is None else text.mib(row.peak_device_bytes),
        text.seconds(row.train_seconds),
        text.seeds(row),
        text.errors(row.standard_error, row.clustered_error),
        CLAIMS[row.claim],
        "; ".join(row.notes),
    ]


def reference_cells(reference: Reference) -> list[str]:
    """A row beside the ranking in the order of COLUMNS."""
    spread = f" ±{text.percent(reference.spread)} over clients" if reference.spread is not None else ""
    score = text.estimate(reference.score) + spread
    blank = ["" if column in OPTIONAL else "—" for column in COLUMNS[4:]]
    return ["—", breakdown.who(reference), model_name(reference), score, *blank]


def shown(table: Table) -> list[int]:
    """Positions in COLUMNS of those that say something of some row."""
    rows = [cells(row) for row in table.rows]
    return [i for i, column in enumerate(COLUMNS) if column not in OPTIONAL or any(row[i] for row in rows)]


def model_name(row: Row | Reference) -> str:
    """The base model with the first digits of its revision."""
    return "—" if row.model is None else f"{row.model.name}@{row.model.revision[:12]}"


def heading(table: Table) -> str:
    """A table's first line."""
    title = f": {table.title}" if table.title else ""
    return f"{table.name} {table.version}{title}{_division(table)}"


def _division(table: Table) -> str:
    return " (open division)" if table.division == "open" else ""


def conditions(table: Table) -> str:
    """What holds for all rows of a table."""
    draft = {"draft": "draft, may still change; ", "unknown": "not known to this verifier; ", "published": ""}
    open_ = "entries bring code of their own and are not ranked among others; " if table.division == "open" else ""
    how = {"paired": "a paired test on the same items", "intervals": "overlap of intervals", "mixed": "both ways"}
    return (
        f"{open_}{draft[table.status]}spec hash {table.spec_hash}; intervals at {100 * table.confidence:g} %; "
        f"rows told apart by {how[table.compared_by]}, one error for the whole table"
    )


def findings(table: Table) -> Iterator[str]:
    """What the tests of a table say beside its ranks, a sentence each."""
    if table.smallest_difference is not None:
        points = text.percent(table.smallest_difference)
        yield f"The smallest difference that this table could see (80 % power): {points} points."
    for reference in table.references:
        if reference.compared and reference.above is not None and reference.below is not None:
            level = reference.compared - reference.above - reference.below
            yield (
                f"{breakdown.who(reference)}: {reference.above} of {reference.compared} entries are above it, "
                f"{reference.below} below, {level} not told apart."
            )


def markdown(board: Board) -> str:
    """Tables for a README or a wiki page."""
    return "\n".join(_markdown(board)) + "\n"


def _markdown(board: Board) -> Iterator[str]:
    yield "# Leaderboard"
    for table in board.tables:
        yield from ("", f"## {_markdown_heading(table)}", "", conditions(table), "")
        yield from (text.markdown(table.reading), "") if table.reading else ()
        yield from _ranking(table)
        yield from ("", *(f"- {text.code(one)}" for one in [*findings(table), *table.clusters]))
        yield from ("", f"### {breakdown.HEADING}", "")
        yield from _by_task(table)
        if budgets.limits(table):
            yield from ("", f"### {budgets.HEADING}", "")
            yield from _by_budget(table)
    if not board.tables:
        yield from ("", f"No bundle reaches {board.required}.")
    if board.refused:
        yield from ("", "## Not ranked", "", "| Bundle | Level | Code | Reason |", "| --- | --- | --- | --- |")
        for one in board.refused:
            yield f"| {text.code(one.path)} | {one.level} | {one.code} | {text.code(one.reason)} |"
    yield from ("", "## How to read this", "")
    for note in [*board.how_to_read, *board.notes]:
        yield f"- {note}"


def _markdown_heading(table: Table) -> str:
    """Name and version are plain words by their models; the title is free text."""
    title = f": {text.markdown(table.title)}" if table.title else ""
    return f"{table.name} {table.version}{title}{_division(table)}"


def _ranking(table: Table) -> Iterator[str]:
    columns = shown(table)
    # Entry and model come from outside; every other cell is ours.
    outside = {COLUMNS.index("Entry"), COLUMNS.index("Model")}
    yield from _head([COLUMNS[i] for i in columns])
    for row in [*map(cells, table.rows), *map(reference_cells, table.references)]:
        yield _line([text.code(row[i]) if i in outside else row[i] for i in columns])


def _by_task(table: Table) -> Iterator[str]:
    names = breakdown.tasks(table)
    # Up to INTACT, names of tasks and scorings are whatever a bundle says.
    yield from _head([text.code(name) if i > 2 else name for i, name in enumerate(breakdown.header(table))])
    for line in breakdown.lines(table):
        entry, scoring, *rest = breakdown.cells(line, names)
        yield _line([text.code(entry), text.code(scoring), *rest])


def _by_budget(table: Table) -> Iterator[str]:
    yield from _head(budgets.header(table))
    for entry, *rest in budgets.lines(table):
        yield _line([text.code(entry), *rest])


def _head(columns: Sequence[str]) -> Iterator[str]:
    yield _line(columns)
    yield _line(["---"] * len(columns))


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def as_json(board: Board) -> str:
    """The whole document."""
    return json.dumps(board.model_dump(mode="json"), indent=2, allow_nan=False) + "\n"
