"""Links of the documentation: each file is there, each place in it too. Addresses of the network are only read."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pages
import pytest

LINK = re.compile(r"!?\[[^\]]*\]\(<?([^)>\s]+)>?\)")
NETWORK = {"https", "mailto"}
BARE = re.compile(r"\b[\w/-]+\.md\b")


def slugs(page: Path) -> set[str]:
    """The places that GitHub and MyST give headings."""
    text = pages.FENCE.sub("", page.read_text(encoding="utf-8"))
    found = set()
    for heading in re.findall(r"^#+ +(.*?) *$", text, re.MULTILINE):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "").lower()
        found.add(re.sub(r"[^\w\- ]", "", plain).replace(" ", "-"))
    return found


@pytest.mark.parametrize("page", pages.pages(), ids=lambda page: page.relative_to(pages.ROOT).as_posix())
def test_links(page: Path) -> None:
    text = pages.FENCE.sub("", page.read_text(encoding="utf-8"))
    text = re.sub(r"`[^`\n]+`", "", text)
    wrong = []
    for target in LINK.findall(text):
        parts = urlsplit(target)
        if parts.scheme:
            wrong += [] if parts.scheme in NETWORK else [target]
            continue
        file = (page.parent / unquote(parts.path)).resolve() if parts.path else page
        there = file.is_relative_to(pages.ROOT) and file.exists()
        if not there or (parts.fragment and parts.fragment not in slugs(file)):
            wrong.append(target)
    assert not wrong, wrong


@pytest.mark.parametrize("page", pages.pages(), ids=lambda page: page.relative_to(pages.ROOT).as_posix())
def test_a_page_that_is_named_is_a_link(page: Path) -> None:
    """Who reads the site cannot follow a file's name."""
    text = pages.FENCE.sub("", page.read_text(encoding="utf-8"))
    text = LINK.sub("", re.sub(r"`[^`\n]+`", "", text))
    bare = [name for name in BARE.findall(text) if any((top / name).is_file() for top in (page.parent, pages.ROOT))]
    assert not bare, bare
