"""What many runs say together: an analysis that `ftbench analyse` made, as a page of the site or by itself."""

from __future__ import annotations

from importlib import resources as package
from typing import Any

from markupsafe import Markup

from ftbench.analysis import text
from ftbench.analysis.documents import Analysis
from ftbench.site import links
from ftbench.site.context import Context
from ftbench.site.render import html


def page(context: Context, analysis: Analysis) -> bytes:
    """`analysis.html` of the site."""
    return html("analysis.html", links.ANALYSIS, site=context, **_told(analysis))


def alone(analysis: Analysis) -> bytes:
    """The same in one file."""
    style = Markup((package.files("ftbench.site") / links.STYLE).read_text("utf-8"))  # noqa: S704 - ours
    return html("analysis_alone.html", links.ANALYSIS, style=style, **_told(analysis))


def _told(analysis: Analysis) -> dict[str, Any]:
    return {
        "sentences": text.heading(analysis),
        "grids": [{"title": title, "columns": columns, "rows": rows} for title, columns, rows in text.grids(analysis)],
        "left_out": analysis.left_out,
    }
