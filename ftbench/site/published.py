"""Scores from elsewhere, by benchmark."""

from __future__ import annotations

from itertools import groupby

from ftbench.site import links
from ftbench.site.context import Context
from ftbench.site.render import html


def page(context: Context) -> bytes:
    """`published.html`."""
    groups = [
        {"name": name, "rows": list(rows)} for name, rows in groupby(context.published, lambda one: one.benchmark)
    ]
    return html("published.html", links.PUBLISHED, site=context, groups=groups)
