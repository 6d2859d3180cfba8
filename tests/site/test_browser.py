"""The site in a real browser: sort, filter, permalink, back, keys alone, no scripts, and nothing that hostile texts do.

apt-get install chromium; FTBENCH_TESTS_WITHOUT_BROWSER=1 leaves these tests out, and `make test` says so.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import Page, browser
from site_world import Built

pytestmark = pytest.mark.skipif(os.environ.get("FTBENCH_TESTS_WITHOUT_BROWSER") == "1", reason="no browser")

ROWS = "[...document.querySelector('table[data-tools]').tBodies[0].rows].filter(r => !r.classList.contains('beside'))"
NAMES = f"{ROWS}.filter(r => !r.hidden).map(r => r.querySelector('a').textContent).join('|')"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with browser(tmp_path_factory.mktemp("chromium")) as found:
        yield found


@pytest.fixture(scope="module")
def table(built: Built) -> str:
    return (built.tables("forged-world") / "index.html").as_uri()


def press_head(page: Page, name: str) -> None:
    page.run(f"[...document.querySelectorAll('th button')].find(b => b.textContent === '{name}').click()")


def test_sort_filter_permalink_and_back(page: Page, table: str) -> None:
    page.size(1440, 900)
    page.open(table)
    first = page.run(NAMES)
    assert first.count("|") == 3
    press_head(page, "Traffic")
    smallest = page.run(NAMES)
    assert smallest != first and smallest.startswith("rank=2")
    assert page.run("location.hash") == "#sort=traffic.asc"
    assert page.run("document.querySelector('th[aria-sort=ascending]').dataset.key") == "traffic"
    press_head(page, "Traffic")
    assert page.run(NAMES) == "|".join(reversed(smallest.split("|")))
    page.run("document.querySelector('#q').focus()")
    page.type("rank=8")
    assert page.run(NAMES) == "rank=8"
    assert page.run("document.querySelector('.tools output').textContent") == "1 of 4 entries"
    address = page.run("location.href")
    page.open("about:blank")
    page.open(address)
    assert page.run(NAMES) == "rank=8", "an address names a view"
    page.open(table)
    press_head(page, "Score")
    press_head(page, "Score")
    page.run("new Promise(done => { addEventListener('popstate', () => done(1), { once: true }); history.back() })")
    assert page.run("location.hash") == "#sort=score.desc"
    assert page.errors == []


def test_keys_alone(page: Page, table: str) -> None:
    page.open(table)
    page.press("Tab")
    assert page.run("document.activeElement.className") == "skip"
    page.press("Enter")
    for _ in range(60):
        page.press("Tab")
        if page.run("document.activeElement.textContent") == "Gain over untuned":
            break
    page.press("Enter")
    assert page.run("location.hash") == "#sort=gain.desc"
    assert page.run("getComputedStyle(document.activeElement).outlineStyle") != "none", "what has the focus shows it"


def test_an_item_has_an_address(page: Page, built: Built) -> None:
    (path, *_) = sorted(built.tables("forged-world").rglob("jars/all-1.html"))
    page.open(path.as_uri() + "#i3")
    assert page.run("document.getElementById('i3').open") is True
    page.run("document.querySelector('#i3 summary').focus()")
    page.press("j")
    assert page.run("document.activeElement.parentElement.id") == "i4"
    page.press("Enter")
    assert page.run("document.getElementById('i4').open") is True
    page.press("k", 2)
    assert page.run("document.activeElement.parentElement.id") == "i2"


def test_without_scripts_everything_is_there(page: Page, table: str, built: Built) -> None:
    page.scripts(on=False)
    try:
        page.open(table)
        text = page.run("document.body.innerText")
        for told in ("mine: rank=4", "rank=2", "RESCORED", "Gain over untuned", "untuned", "CSV"):
            assert told in text, told
        assert page.run("document.querySelectorAll('.tools, #theme').length") == 0
        (path, *_) = sorted(built.tables("forged-world").rglob("jars/all-1.html"))
        page.open(path.as_uri())
        page.run("document.querySelector('#i0 summary').focus()")
        page.press("Enter")
        assert page.run("document.getElementById('i0').open") is True
    finally:
        page.scripts(on=True)


def test_hostile_texts_do_nothing(page: Page, built: Built) -> None:
    for path in sorted(built.root.rglob("*.html")):
        page.open(path.as_uri())
        assert page.run("document.title") != "owned", path
        assert page.run("document.images.length") == 0, path
    assert all(one.startswith(("file://", "about:", "data:")) for one in page.requests), "nothing is fetched"
    assert page.errors == []


@pytest.mark.parametrize("width", [360, 820, 1440])
def test_nothing_sticks_out(page: Page, built: Built, width: int) -> None:
    page.size(width, 800, mobile=width < 600)
    for scheme in ("light", "dark"):
        page.scheme(scheme)
        for path in one_of_each(built):
            page.open(path.as_uri())
            assert page.run("document.documentElement.scrollWidth") <= width, path
    page.size(1440, 900)
    page.scheme("light")


def one_of_each(built: Built) -> list[Path]:
    """A page of each kind."""
    root, table = built.root, built.tables("forged-world")
    names = ("index.html", "resources.html", "refused.html", "published.html", "decisions.html")
    entry = sorted(table.glob("entries/*/index.html"))[0]
    views = [sorted(table.rglob(f"jars/{view}-1.html"))[0] for view in ("all", "lost", "clusters")]
    code = sorted(table.rglob("sums/all-1.html"))[0]
    closed = sorted(built.tables("closed-world").rglob("jars/all-1.html"))[0]
    compared = sorted(table.glob("compare/*.html"))[0]
    return [
        *(root / name for name in names),
        table / "index.html",
        table / "pairs.html",
        entry,
        compared,
        *views,
        code,
        closed,
    ]
