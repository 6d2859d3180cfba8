"""The page of one table, its sheet, and the page of its pairs."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

from ftbench.board import breakdown, budgets, render, sheet, text
from ftbench.board.frontier import efficient
from ftbench.board.model import Board, Reference, Row, Table
from ftbench.result.budgets import MIB
from ftbench.site import bars, conditions, figures, links, plots, svg
from ftbench.site.compare import command
from ftbench.site.compare import shown as compared
from ftbench.site.context import Context, label, marks
from ftbench.site.render import LADDER, html

STATUS = {"draft": "draft, may still change", "unknown": "not known to this verifier", "published": ""}
HOW = {"paired": "a paired test on the same items", "intervals": "overlap of intervals", "mixed": "both ways"}
MOST_PAIRS = 2_000
"""Pairs that one page lists; the JSON beside the table has all."""


def pages(context: Context, table: Table) -> Iterator[tuple[str, bytes]]:
    """The table's page, CSV and JSON, and its pairs."""
    yield links.table(table), _page(context, table)
    alone = Board(required=context.board.required, tables=[table], refused=[], notes=context.board.notes)
    yield links.sheet(table, "csv"), sheet.as_csv(alone).encode()
    yield links.sheet(table, "json"), render.as_json(alone).encode()
    if table.comparisons:
        yield links.pairs(table), _pairs(context, table)


def traffic(row: Row) -> int:
    """Bytes of a run in both directions."""
    return row.bytes_down + row.bytes_up


def adapter(row: Row, context: Context, table: Table) -> str:
    """`dora of rank 8`: the entry's choice, else the benchmark's own."""
    plan = context.plan(table)
    own = plan.typed_spec().adapter if plan else None
    kind = row.knobs.get("adapter.kind", own.kind if own else "adapter")
    rank = row.knobs.get("adapter.rank", own.rank if own else None)
    return f"{kind} of rank {rank}" if rank is not None else str(kind)


def strategy(row: Row, context: Context, table: Table) -> str:
    """The strategy's kind: the entry's choice, else the benchmark's own; `own code` in the open division."""
    if table.division == "open":
        return "own code"
    plan = context.plan(table)
    return str(row.knobs.get("strategy.kind", plan.typed_spec().strategy.kind if plan else "–"))


def _page(context: Context, table: Table) -> bytes:
    scores = [*(one.score for one in table.rows), *(one.score for one in table.references)]
    ends = [end for one in scores for end in (one.interval.low, one.interval.high)]
    ticks = svg.around(ends)
    scale = bars.axis(ticks)
    private = any(row.epsilon is not None for row in table.rows)
    robust = any(row.robustness is not None for row in table.rows)
    return html(
        "table.html",
        links.table(table),
        site=context,
        table=table,
        heading=table.title or table.name,
        about=plan.metadata if (plan := context.plan(table)) else None,
        division=table.division,
        status=STATUS[table.status],
        confidence=f"{100 * table.confidence:g}",
        facts=_facts(table),
        axis=bars.head(ticks, scale),
        rows=[_row(context, table, row, scale) for row in table.rows],
        beside=[_beside(one, scale) for one in table.references],
        total=len(table.rows),
        span=7 + private + robust,
        private=private,
        robust=robust,
        few=True,
        csv=links.sheet(table, "csv"),
        json=links.sheet(table, "json"),
        pairs=links.pairs(table) if table.comparisons else None,
        findings=table.clusters,
        plots=list(_plots(context, table)),
        by_task=_by_task(table),
        levels=conditions.levels(table),
        flat=any("mean" in row.constant for row in table.rows),
        conditions=conditions.told(context.plan(table)),
        budgets=_budgets(table),
        elsewhere=[one for one in context.published if one.benchmark == table.name],
        again=_again(context),
    )


def _facts(table: Table) -> list[dict[str, str]]:
    items = sum(one.items for one in table.rows[0].tasks.values())
    bundles = sum(len(row.bundles) for row in table.rows)
    tasks = len(table.rows[0].tasks)
    smallest = table.smallest_difference
    return [
        {
            "name": "Entries",
            "value": str(len(table.rows)),
            "note": f"{bundles} bundle{'s' * (bundles != 1)}",
        },
        {"name": "Items", "value": text.count(items), "note": f"{tasks} task{'s' * (tasks != 1)}"},
        {
            "name": "Smallest difference seen",
            "value": "–" if smallest is None else f"{figures.percent(smallest)} points",
            "note": "with a chance of 80 %",
        },
        {"name": "Told apart by", "value": HOW[table.compared_by], "note": "one error for the whole table"},
    ]


def _row(context: Context, table: Table, row: Row, scale: svg.Scale) -> dict[str, Any]:
    return {
        "row": row,
        "anchor": links.anchor(row),
        "label": label(row),
        "target": links.entry(table, row),
        "size": context.sizes.get(row.model.name),
        "drawing": bars.interval(row.score, scale, marks(table, row.model.name)),
        "level": LADDER.index(row.level) if row.level in LADDER else -1,
        "strategy": strategy(row, context, table),
        "adapter": adapter(row, context, table),
        "traffic": traffic(row),
        "memory": row.peak_device_bytes or row.peak_memory_bytes,
        "claim": render.CLAIMS[row.claim],
    }


def _beside(one: Reference, scale: svg.Scale) -> dict[str, Any]:
    said = ""
    if one.compared and one.above is not None and one.below is not None:
        level = one.compared - one.above - one.below
        said = f"{one.above} of {one.compared} entries above it, {one.below} below, {level} not told apart"
    if one.spread is not None:
        said += f"{'; ' if said else ''}±{figures.percent(one.spread)} over clients"
    return {
        "name": breakdown.who(one).strip("()"),
        "model": one.model.name if one.model else "the best constant answer to each task",
        "score": one.score,
        "drawing": bars.interval(one.score, scale, kind="ref"),
        "said": said,
    }


def _plots(context: Context, table: Table) -> Iterator[dict[str, Any]]:
    here = links.table(table)
    told: list[tuple[str, Callable[[Row], float | None]]] = [
        ("traffic of a run", lambda row: traffic(row) / MIB or None),
        ("memory", lambda row: (row.peak_device_bytes or row.peak_memory_bytes or 0) / MIB or None),
    ]
    for name, cost in told:
        best = efficient(table.rows, cost)
        known = [row for row in table.rows if cost(row) is not None]
        if len(known) < 2:
            continue
        points = [
            plots.Point(label(row), links.href(here, links.entry(table, row)), cost(row) or 0.0, row.score, row in best)
            for row in known
        ]
        lines = [(value, "untuned") for value, _ in marks(table)]
        note = " As reported." if name == "memory" else ""
        caption = f"Filled and joined: no other entry scores as much with less. Bars are intervals.{note}"
        yield {"drawing": plots.scatter(points, unit="MiB", axis=name, marks=lines), "caption": caption}


def _by_task(table: Table) -> dict[str, Any]:
    names = breakdown.tasks(table)
    every = [(line, breakdown.cells(line, names)) for line in breakdown.lines(table)]
    lines = [{"cells": cells, "beside": line.who.startswith("(")} for line, cells in every]
    return {"head": breakdown.header(table), "lines": lines}


def _budgets(table: Table) -> dict[str, Any] | None:
    if not budgets.limits(table):
        return None
    return {"title": budgets.HEADING, "head": budgets.header(table), "lines": list(budgets.lines(table))}


def _again(context: Context) -> str:
    return f"ftbench leaderboard {' '.join(context.sources)} --require {context.board.required}"


def _pairs(context: Context, table: Table) -> bytes:
    by_label = {row.label: row for row in table.rows}
    chosen = {_labels(a, b): (a, b) for a, b in compared(table)}
    rows = []
    for pair in sorted(table.comparisons, key=lambda one: (-abs(one.difference), one.a, one.b))[:MOST_PAIRS]:
        a, b = by_label.get(pair.a), by_label.get(pair.b)
        target = None
        if a is not None and b is not None:
            found = chosen.get(_labels(a, b))
            target = links.compare(table, *found) if found else None
        error = pair.standard_error if pair.clustered_error is None else pair.clustered_error
        rows.append({"pair": pair, "target": target, "error": error})
    left = len(table.comparisons) - len(rows)
    apart = next((two for two in itertools.combinations(table.rows, 2) if _labels(*two) not in chosen), None)
    return html(
        "pairs.html",
        links.pairs(table),
        site=context,
        table=table,
        up=links.table(table),
        how=f"Tested by {HOW[table.compared_by]}, with one error of {100 * (1 - table.confidence):g} % for them all.",
        left=f"{left:,} pairs with smaller differences are in the table’s JSON." if left else "",
        without=len(table.rows) * (len(table.rows) - 1) // 2 - len(chosen),
        command=command(context, *apart) if apart else "",
        rows=rows,
    )


def _labels(a: Row, b: Row) -> frozenset[str]:
    return frozenset({label(a), label(b)})
