"""Every answer of a bundle, a hundred items a page: all, gained, lost, unparsable, and by cluster."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

from markupsafe import Markup

from ftbench.board.model import BundleRef, Row, Table
from ftbench.site import bars, links, paging
from ftbench.site.answers import Answers, shown
from ftbench.site.context import Context, label
from ftbench.site.render import fragments, html

VIEWS = {"all": "All", "gained": "Gained", "lost": "Lost", "unparsable": "Unparsable"}
"""Names in addresses → names on pages."""
CLUSTERS = "clusters"
MOST_CLUSTERS = 2_000
"""Clusters that are listed."""
NAME = 90
"""Characters of a cluster's name that are shown."""


def pages(context: Context, table: Table, row: Row, bundle: BundleRef, told: Answers) -> Iterator[tuple[str, bytes]]:
    """All pages of one task. A view without items has none."""
    labels = context.clusters(table).of_task.get(told.task)
    known = labels is not None and len(labels) == len(told.samples)
    items = _Items(told)
    about = _about(context, table, row, bundle, told, clustered=known)
    for view in VIEWS:
        places = told.places(view)
        if not places and view != "all":
            continue
        for number in range(1, paging.count(len(places)) + 1):
            here = links.samples(table, row, bundle, told.task, view, number)
            part = places[(number - 1) * paging.SIZE : number * paging.SIZE]
            listed = _items(table, row, bundle, told, view, items.of(part))
            yield here, _page(about, here, view, number, len(places), listed)
    if known and labels is not None:
        here = links.samples(table, row, bundle, told.task, CLUSTERS)
        clusters = _clusters(table, row, bundle, told, labels)
        yield here, _page(about, here, CLUSTERS, 1, len(set(labels)), [], clusters)


def _about(
    context: Context, table: Table, row: Row, bundle: BundleRef, told: Answers, *, clustered: bool
) -> dict[str, Any]:
    counts = {view: len(told.places(view)) for view in VIEWS}
    views = [
        {
            "id": view,
            "name": name,
            "count": counts[view],
            "target": _first(table, row, bundle, told, view, counts[view]),
        }
        for view, name in VIEWS.items()
    ]
    if clustered:
        labels = context.clusters(table).of_task[told.task]
        target = links.samples(table, row, bundle, told.task, CLUSTERS)
        views.append({"id": CLUSTERS, "name": "Clusters", "count": len(set(labels)), "target": target})
    return {
        "site": context,
        "table": table,
        "row": row,
        "up": links.table(table),
        "own": links.entry(table, row),
        "label": label(row),
        "task": told.task,
        "bundle": bundle,
        "drawing": bars.outcomes(told.counts()),
        "views": views,
        "withheld": told.withheld,
        "said": _said(told),
        "address": lambda view, number: links.samples(table, row, bundle, told.task, view, number),
    }


def _first(table: Table, row: Row, bundle: BundleRef, told: Answers, view: str, count: int) -> str | None:  # noqa: PLR0917
    return links.samples(table, row, bundle, told.task, view) if count or view == "all" else None


def _said(told: Answers) -> str:
    counts = dict(told.counts())
    if not any(counts.values()):
        return f"{len(told.samples):,} items, not scored here."
    return (
        f"{len(told.samples):,} items: {counts['gained']:,} gained by tuning, {counts['lost']:,} lost, "
        f"{counts['both']:,} right before and after, {counts['neither']:,} wrong before and after."
    )


class _Items:
    """Every item as markup, made once for all the views that it stands in: before and after the link to its home."""

    def __init__(self, told: Answers) -> None:
        self._told = told
        self._again = {at for view in VIEWS if view != "all" for at in told.places(view)}
        self._made: dict[int, tuple[Markup, Markup]] = {}

    def of(self, places: Sequence[int]) -> Iterator[tuple[int, tuple[Markup, Markup]]]:
        """Items at these places; those of no other view than all are not kept."""
        for at in places:
            made = self._made.get(at) or fragments("item.html", ("head", "rest"), shown(self._told, at))
            if at in self._again:
                self._made[at] = made
            yield at, made


def _items(  # noqa: PLR0917
    table: Table,
    row: Row,
    bundle: BundleRef,
    told: Answers,
    view: str,
    items: Iterator[tuple[int, tuple[Markup, Markup]]],
) -> list[dict[str, Any]]:
    found = []
    for at, (head, rest) in items:
        home = paging.place(table, row, bundle, told.task, at) if view != "all" else None
        found.append({"head": head, "rest": rest, "home": home})
    return found


def _page(  # noqa: PLR0917
    about: dict[str, Any],
    here: str,
    view: str,
    number: int,
    total: int,
    items: Sequence[dict[str, Any]],
    clusters: Sequence[dict[str, Any]] = (),
) -> bytes:
    views = [{**one, "current": one["id"] == view} for one in about["views"]]
    pages = paging.count(total) if view != CLUSTERS else 1
    named = [
        {"gap": True}
        if one is None
        else {"gap": False, "number": one, "current": one == number} | {"target": about["address"](view, one)}
        for one in paging.named(number, pages)
    ]
    current = {"id": view, "name": next(one["name"] for one in views if one["current"])}
    more = {"views": views, "view": current, "pages": named, "items": items, "clusters": clusters}
    return html("samples.html", here, **{**about, **more})


def _clusters(table: Table, row: Row, bundle: BundleRef, told: Answers, labels: Sequence[str]) -> list[dict[str, Any]]:
    """Clusters of several items first. Their names are texts of the data, which withheld tasks do not show."""
    members: dict[str, list[int]] = defaultdict(list)
    for at, name in enumerate(labels):
        members[name].append(at)
    ordered = sorted(members.items(), key=lambda one: (-len(one[1]), one[1][0]))[:MOST_CLUSTERS]
    return [
        {
            "name": f"cluster {number}" if told.withheld else _cut(name.partition(": ")[2] or name),
            "members": [{"index": at, "target": paging.place(table, row, bundle, told.task, at)} for at in places],
            "before": sum(told.kinds[at] in ("both", "lost") for at in places),
            "after": sum(told.kinds[at] in ("both", "gained") for at in places),
        }
        for number, (name, places) in enumerate(ordered, 1)
    ]


def _cut(name: str) -> str:
    return name if len(name) <= NAME else f"{name[: NAME - 1]}…"
