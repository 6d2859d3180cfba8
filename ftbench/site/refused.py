"""What holds no place: refused, withdrawn and damaged bundles, and copies."""

from __future__ import annotations

from ftbench import codes
from ftbench.board.model import Refused
from ftbench.site import links
from ftbench.site.context import Context
from ftbench.site.render import html

GROUPS = (
    ("refused", "Refused", "They can be read, and do not reach the level that the tables ask for.", None),
    ("withdrawn", "Withdrawn", "They were taken back; the reason is that of who keeps the list.", {codes.WITHDRAWN}),
    (
        "damaged",
        "Damaged or changed",
        "They cannot be opened, or name themselves after a bundle that they are not.",
        {codes.BOARD_UNREADABLE, codes.TAMPERED_COPY, codes.NO_RESULT},
    ),
    ("trials", "Trial runs", "Shortened runs, which are never ranked.", {codes.SMOKE}),
    ("copies", "Copies", "The same bundle a second time; it is counted once.", {codes.COPY}),
)
"""Id, name, what it means, the codes; the first takes all other codes."""


def _group(one: Refused) -> str:
    """By its code; a bundle of which nothing could be established is damaged, whatever was asked for."""
    if one.level == "NONE" and one.code == codes.BELOW_LEVEL:
        return "damaged"
    return next((name for name, *_, some in GROUPS if some and one.code in some), "refused")


def page(context: Context) -> bytes:
    """`refused.html`."""
    groups = []
    decided = {one.bundle for one in context.decisions}
    for name, title, said, _ in GROUPS:
        rows = [one for one in context.board.refused if _group(one) == name]
        if rows:
            groups.append({"id": name, "name": title, "said": said, "rows": rows})
    return html(
        "refused.html", links.REFUSED, site=context, required=context.board.required, groups=groups, decided=decided
    )
