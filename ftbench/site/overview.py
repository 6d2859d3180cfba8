"""The first page: models by benchmarks, how to read it, all tables, and what changed between versions."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Sequence
from typing import Any

from ftbench.board.model import Row, Table
from ftbench.board.rank import version_key
from ftbench.compile.plan import Plan
from ftbench.site import bars, figures, links, transfer
from ftbench.site.context import Context, label, marks
from ftbench.site.render import html
from ftbench.spec.diff import ABSENT, MEANING, Edit, diff_plans

WIDTH = 116.0
"""Of an interval in the matrix, in pixels."""
EDITS = 12
"""Edits of one change that are told."""
VALUE = 90
"""Characters of a value that are shown."""


def page(context: Context) -> bytes:
    """`index.html`."""
    tables = context.board.tables
    return html(
        "overview.html",
        links.OVERVIEW,
        site=context,
        required=context.board.required,
        columns=[_column(table) for table in tables],
        models=[_model(context, name) for name in _names(tables)],
        across=transfer.matrix(context),
        reading=context.board.how_to_read,
        tables=[_told(table) for table in tables],
        changes=list(_changes(context)),
        notes=context.board.notes,
    )


def _names(tables: Sequence[Table]) -> list[str]:
    return sorted({row.model.name for table in tables for row in table.rows})


def _column(table: Table) -> dict[str, Any]:
    about = {"name": table.name, "version": table.version, "draft": table.status != "published"}
    return {**about, "open": table.division == "open", "target": links.table(table)}


def _model(context: Context, name: str) -> dict[str, Any]:
    size = context.sizes.get(name)
    cells = [_cell(table, name) for table in context.board.tables]
    return {"name": name, "about": f"{figures.parameters(size)} parameters" if size else "", "cells": cells}


def _cell(table: Table, model: str) -> dict[str, Any] | None:
    rows = [row for row in table.rows if row.model.name == model]
    if not rows:
        return None
    best = rows[0]  # a table's rows come best first
    scale = bars.axis([0.0, 1.0], WIDTH)
    return {
        "score": best.score,
        "place": best.rank,
        "of": len(table.rows),
        "entries": len(rows),
        "target": f"{links.table(table)}#{links.anchor(best)}",
        "drawing": bars.interval(best.score, scale, marks(table, model)),
        "said": f"{table.name}, {label(best)}",
    }


def _told(table: Table) -> dict[str, Any]:
    pairs = [one for one in table.comparisons if _among(one.a, one.b, table.rows)]
    apart = f"{sum(one.apart for one in pairs)} of {len(pairs)} pairs" if pairs else "–"
    return {
        "title": table.title or table.name,
        "name": table.name,
        "version": table.version,
        "status": "unknown to this verifier" if table.status == "unknown" else table.status,
        "open": table.division == "open",
        "target": links.table(table),
        "entries": len(table.rows),
        "bundles": sum(len(row.bundles) for row in table.rows),
        "apart": apart,
        "smallest": table.smallest_difference,
        "hash": table.spec_hash,
    }


def _among(a: str, b: str, rows: Sequence[Row]) -> bool:
    names = {row.label for row in rows}
    return a in names and b in names


def _changes(context: Context) -> Iterator[dict[str, Any]]:
    """Every step between versions of a benchmark that has a table, newest first."""
    shown = {table.name for table in context.board.tables}
    plans = [plan for plan in context.gathered.plans.values() if plan.metadata.name in shown]
    for name in sorted(shown):
        versions = sorted((one for one in plans if one.metadata.name == name), key=_order)
        for old, new in reversed(list(itertools.pairwise(versions))):
            yield _change(name, old, new)


def _order(plan: Plan) -> tuple[Any, ...]:
    return (*version_key(plan.metadata.version), plan.spec_hash)


def _change(name: str, old: Plan, new: Plan) -> dict[str, Any]:
    found = diff_plans(old.as_json(), new.as_json())
    told = [one for one in found.edits if one.path != "metadata.version"]
    sides = [f"{one.metadata.version} ({one.spec_hash[:12]})" for one in (old, new)]
    return {
        "name": name,
        "old": sides[0],
        "new": sides[1],
        "impact": found.impact,
        "meaning": MEANING[found.impact],
        "grave": found.impact in ("score-affecting", "incomparable"),
        "lines": [_edit(one) for one in told[:EDITS]],
        "more": max(len(told) - EDITS, 0),
    }


def _edit(edit: Edit) -> dict[str, str]:
    if edit.old is ABSENT:
        said = f"is new: {_value(edit.new)}"
    elif edit.new is ABSENT:
        said = f"is gone; it was {_value(edit.old)}"
    else:
        said = f"was {_value(edit.old)}, is {_value(edit.new)}"
    return {"path": edit.path, "said": said, "impact": edit.impact}


def _value(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= VALUE else f"{text[: VALUE - 1]}…"
