"""What an adapter of one domain does to the others: models and benchmarks by domains, with intervals."""

from __future__ import annotations

from collections.abc import Container, Sequence
from typing import Any

from ftbench.board import figures
from ftbench.board.model import Row, Table
from ftbench.result.documents import Elsewhere, Result
from ftbench.site import links
from ftbench.site.context import Context, label


def matrix(context: Context) -> dict[str, Any] | None:
    """Columns are domains; a line for each entry whose benchmark asks other domains too. None where none does."""
    lines = []
    for table in context.board.tables:
        for row in table.rows:
            results = [context.submission(bundle).result for bundle in row.bundles]
            found = _elsewhere(results)
            if found:
                lines.append((table, row, found, _own(results[0])))
    if not lines:
        return None
    known = {frozenset(one.tasks): name for _, _, found, _ in lines for name, ((_, one), *_) in found.items()}
    homes = [_home(table, found, known.get(own)) for table, _, found, own in lines]
    domains = sorted({*homes, *(name for _, _, found, _ in lines for name in found)})
    cells = zip(lines, homes, strict=True)
    return {
        "domains": domains,
        "lines": [_line(table, row, found, home, domains) for (table, row, found, _), home in cells],
    }


def _elsewhere(results: Sequence[Result]) -> dict[str, list[tuple[int, Elsewhere]]]:
    """Domain → what each run says of it; the domains that all have."""
    known = [result.scores.also for result in results]
    names = set.intersection(*(set(one) for one in known)) if known else set()
    return {name: [(result.seed, result.scores.also[name]) for result in results] for name in sorted(names)}


def _own(result: Result) -> frozenset[str]:
    """The tasks that rank."""
    return frozenset(result.scores.tasks) - {task for one in result.scores.also.values() for task in one.tasks}


def _home(table: Table, found: Container[str], known: str | None) -> str:
    """The own domain: the name by which another benchmark here knows its tasks (`known`), else the benchmark's own."""
    return known if known is not None and known not in found else table.name


def _line(
    table: Table, row: Row, found: dict[str, list[tuple[int, Elsewhere]]], home: str, domains: list[str]
) -> dict[str, Any]:
    cells: list[dict[str, Any] | None] = []
    for name in domains:
        if name == home:
            cells.append({"score": row.score, "gain": row.gain, "home": True})
        elif name in found:
            score = figures.over_seeds((seed, figures.estimate(one.tuned)) for seed, one in found[name])
            gain = figures.over_seeds((seed, figures.estimate(one.difference)) for seed, one in found[name])
            cells.append({"score": score, "gain": gain, "home": False})
        else:
            cells.append(None)
    target = f"{links.table(table)}#{links.anchor(row)}"
    return {"model": row.model.name, "name": f"{table.name}, {label(row)}", "target": target, "cells": cells}
