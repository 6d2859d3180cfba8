"""What was decided of each submission, with the reasons."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from ftbench.board.decided import Decided
from ftbench.board.model import Row, Table
from ftbench.site import links
from ftbench.site.context import Context
from ftbench.site.render import html


def page(context: Context) -> bytes:
    """`decisions.html`: submissions in the order of their last decision, the newest first."""
    rows = _rows(context)
    of_bundle: dict[str, list[Decided]] = defaultdict(list)
    for one in context.decisions:
        of_bundle[one.bundle].append(one)
    told = [_told(of, rows) for of in of_bundle.values()]
    ordered = sorted(told, key=lambda one: (one["lines"][0].time, one["bundle"]), reverse=True)
    return html("decisions.html", links.DECISIONS, site=context, submissions=ordered)


def _told(of: list[Decided], rows: dict[str, list[dict[str, str]]]) -> dict[str, Any]:
    last = of[-1]
    return {
        "name": last.submission or "registration",
        "bundle": last.bundle,
        "lines": list(reversed(of)),
        "rows": rows.get(last.bundle, []),
    }


def _rows(context: Context) -> dict[str, list[dict[str, str]]]:
    """Bundle → the rows that it stands in."""
    found: dict[str, list[dict[str, str]]] = defaultdict(list)
    for table in context.board.tables:
        for row in table.rows:
            for bundle in row.bundles:
                found[bundle.bundle].append(_link(table, row))
    return found


def _link(table: Table, row: Row) -> dict[str, str]:
    return {"name": f"{table.name} {table.version}", "target": links.entry(table, row)}
