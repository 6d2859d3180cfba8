"""A page on paper is read without its site: no column cut, its conditions and legend beside it, dark ink on white."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import Page, browser
from site_world import Built
from test_browser import one_of_each

pytestmark = pytest.mark.skipif(os.environ.get("FTBENCH_TESTS_WITHOUT_BROWSER") == "1", reason="no browser")

PAPER = 1032
"""Pixels across an A4 sheet on its side, less the margins of `@page`: (297 - 24) mm at 96 to the inch."""
CUT = """JSON.stringify([...document.querySelectorAll('table')].flatMap(table => [
  ...[...table.querySelectorAll('th, td')].filter(cell => !cell.closest('[hidden]')
    && !(cell.offsetWidth && cell.offsetHeight)).map(cell => 'not shown: ' + cell.textContent.trim()),
  ...(table.getBoundingClientRect().right > innerWidth + 1 ? ['wider than the sheet'] : [])]))"""
SHOWN = "document.body.innerText"


@pytest.fixture
def page(tmp_path: Path) -> Iterator[Page]:
    with browser(tmp_path) as found:
        found.size(PAPER, 720)
        found.media("print")
        yield found


def test_no_page_loses_a_column(page: Page, built: Built) -> None:
    for path in one_of_each(built):
        page.open(path.as_uri())
        page.run("document.documentElement.dataset.theme = 'dark'; 1")
        assert json.loads(page.run(CUT)) == [], path
        assert page.run("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)", path
        assert page.run("getComputedStyle(document.querySelector('nav')).display") == "none"


def test_a_table_carries_what_it_is_read_by(page: Page, built: Built) -> None:
    page.open((built.tables("forged-world") / "index.html").as_uri() + "#sort=traffic.asc&q=rank%3D8")
    said = page.run(SHOWN)
    for told in ("not told apart", "RESCORED: every score was computed again", "left to entries", "adapter.rank"):
        assert told in said, told
    assert re.search(r"[Ss]pec hash [0-9a-f]{64}", said), "which conditions these are"
    assert "1 of 4 entries" in said and "with “rank=8”" in said and "sorted by Traffic" in said, "what is left out"
    assert page.run("getComputedStyle(document.querySelector('.steps i.on')).printColorAdjust") == "exact"
    (box, *_) = re.findall(rb"/MediaBox \[0 0 ([\d.]+) ([\d.]+)\]", page.printed())
    assert float(box[0]) > float(box[1]), "on its side"


def test_pages_of_a_table_name_its_hash(page: Page, built: Built) -> None:
    for path in one_of_each(built):
        if "tables" in path.parts:
            page.open(path.as_uri())
            assert re.search(r"spec hash [0-9a-f]{64}", page.run(SHOWN)), path


def test_what_is_folded_is_printed(page: Page, built: Built) -> None:
    """Every check with its evidence, folded or not."""
    (entry, *_) = sorted(built.tables("forged-world").glob("entries/*/index.html"))
    page.open(entry.as_uri())
    assert page.run("document.querySelectorAll('details.more:not([open])').length") > 0
    assert page.run(
        "[...document.querySelectorAll('.checks li')].every(one => one.checkVisibility() && one.offsetHeight > 0)"
    )
