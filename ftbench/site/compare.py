"""Two entries of a table side by side."""

from __future__ import annotations

import itertools
import json
import shlex
from collections.abc import Iterator, Sequence
from typing import Any

from ftbench.board.model import BundleRef, Row, Table
from ftbench.board.versus import TaskChange, changes, differing, told
from ftbench.errors import InvalidInput
from ftbench.site import figures, links
from ftbench.site.context import Context, label
from ftbench.site.paging import place
from ftbench.site.render import html

ALL = 24
"""Rows from the top of which every pair has a page: all of most tables."""
NEXT = 60
"""Rows from the top that have a page with the row below them, and with the first."""
SHOWN = 60
"""Items that are named for each task and way."""


def shown(table: Table) -> list[tuple[Row, Row]]:
    """The pairs that have a page, the better row first: all at the top, then neighbours and the first with each."""
    top = list(itertools.combinations(table.rows[:ALL], 2))
    near = list(itertools.pairwise(table.rows[:NEXT])) + [(table.rows[0], row) for row in table.rows[1:NEXT]]
    found = {(a.entry, b.entry): (a, b) for a, b in [*top, *near]}
    return list(found.values())


def command(context: Context, a: Row, b: Row) -> str:
    """What makes the page of two rows, with or without one here."""
    left, right = _together(a, b)
    return shlex.join(["ftbench", "compare", context.folder(left), context.folder(right), "--html", "pair.html"])


def pages(context: Context, table: Table, pairs: Sequence[tuple[Row, Row]]) -> Iterator[tuple[str, bytes]]:
    """A page for each of these pairs."""
    for a, b in pairs:
        yield links.compare(table, a, b), _page(context, table, a, b)


def _page(context: Context, table: Table, a: Row, b: Row) -> bytes:
    left, right = _together(a, b)
    one, other = context.submission(left), context.submission(right)
    try:
        found = changes(one.marks, other.marks, table.confidence, context.clusters(table), table.spec_hash)
    except InvalidInput:
        found = []
    conditions = []
    if one.entry is not None and other.entry is not None:
        conditions = differing(told(one.result, one.entry), told(other.result, other.entry))
    return html(
        "compare.html",
        links.compare(table, a, b),
        site=context,
        table=table,
        up=links.table(table),
        a=label(a),
        b=label(b),
        a_page=links.entry(table, a),
        b_page=links.entry(table, b),
        whole=_whole(context, table, a, b),
        seeds=f"Seed {left.seed} of A, seed {right.seed} of B.",
        tasks=found,
        conditions=[{"path": c.path, "a": _value(c.a), "b": _value(c.b)} for c in conditions],
        changed=[_changed(table, b, right, change) for change in found if change.task in other.marks],
        again=command(context, a, b),
    )


def _together(a: Row, b: Row) -> tuple[BundleRef, BundleRef]:
    """A bundle of each, of the same seed where they have one."""
    common = sorted(set(a.seeds) & set(b.seeds))
    return _of(a.bundles, common), _of(b.bundles, common)


def _of(bundles: Sequence[BundleRef], seeds: Sequence[int]) -> BundleRef:
    return next((one for one in bundles if seeds and one.seed == seeds[0]), bundles[0])


def _whole(context: Context, table: Table, a: Row, b: Row) -> str:
    pair = context.pair(table, a, b)
    if pair is None:
        return "The table did not test them against each other."
    sign = 1 if pair.a == label(b) else -1
    said = "told apart" if pair.apart else "not told apart"
    return f"In the table, over all their seeds, B − A is {figures.signed(sign * pair.difference)} points: {said}."


def _changed(table: Table, b: Row, bundle: BundleRef, change: TaskChange) -> dict[str, Any]:
    def items(places: Sequence[int]) -> list[dict[str, Any]]:
        named = places[:SHOWN]
        return [{"index": at, "target": place(table, b, bundle, change.task, at)} for at in named]

    return {
        "task": change.task,
        "gained": items(change.gained),
        "lost": items(change.lost),
        "more_gained": max(len(change.gained) - SHOWN, 0),
        "more_lost": max(len(change.lost) - SHOWN, 0),
    }


def _value(value: Any) -> str:
    return "–" if value is None else value if isinstance(value, str) else json.dumps(value, sort_keys=True)
