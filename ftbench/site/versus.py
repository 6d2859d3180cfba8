"""Two runs side by side as one page that needs no other file."""

from __future__ import annotations

from importlib import resources as package

from markupsafe import Markup

from ftbench.board.versus import Versus, shown
from ftbench.site import links
from ftbench.site.render import html


def as_html(found: Versus) -> bytes:
    """What `ftbench compare` says, every item that was gained or lost by its place."""
    style = (package.files("ftbench.site") / links.STYLE).read_text("utf-8")
    conditions = [{"path": one.path, "a": shown(one.a), "b": shown(one.b)} for one in found.conditions]
    return html("versus.html", "versus.html", found=found, conditions=conditions, style=Markup(style))  # noqa: S704
