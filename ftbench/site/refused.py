"""What holds no place: refused, withdrawn and damaged bundles, and copies."""

from __future__ import annotations

from ftbench import codes
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


def page(context: Context) -> bytes:
    """`refused.html`."""
    named = {code for *_, some in GROUPS for code in some or ()}
    groups = []
    for name, title, said, some in GROUPS:
        rows = [one for one in context.board.refused if (one.code in some if some else one.code not in named)]
        if rows:
            groups.append({"id": name, "name": title, "said": said, "rows": rows})
    return html("refused.html", links.REFUSED, site=context, required=context.board.required, groups=groups)
