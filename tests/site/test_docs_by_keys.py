"""The documentation's site by the keyboard alone: what has the focus is to be seen, on a phone's width too."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import Page, browser

ROOT = Path(__file__).resolve().parents[2]
STEPS = 40
WHERE = """new Promise(done => setTimeout(() => {
  const e = document.activeElement, r = e.getBoundingClientRect(), s = getComputedStyle(e)
  done(JSON.stringify([`${e.tagName} ${e.className} ${e.textContent.trim().slice(0, 30)}`, r.left, r.right,
    r.top, r.bottom, s.outlineStyle, innerWidth, innerHeight]))
}, 400))"""
"""After a drawer has come in, which takes Furo a quarter of a second."""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.environ.get("FTBENCH_TESTS_WITHOUT_BROWSER") == "1", reason="no browser"),
]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two pages are enough: the theme is the same for all."""
    folder = tmp_path_factory.mktemp("docs")
    (folder / "in" / "docs").mkdir(parents=True)
    (folder / "in" / "docs" / "index.md").write_text(
        "# One\n\n```{toctree}\n:hidden:\n\nother\n```\n\n[Other](other.md)\n"
    )
    (folder / "in" / "docs" / "other.md").write_text(
        "# Other\n\n## A part\n\nText.\n\n## Another part\n\n[One](index.md)\n"
    )
    command = [sys.executable, "-m", "sphinx", "-q", "-b", "html", "-c", str(ROOT / "docs"), "in", "out"]
    subprocess.run(command, cwd=folder, check=True, timeout=600)
    return folder / "out" / "docs"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with browser(tmp_path_factory.mktemp("chromium")) as found:
        yield found


@pytest.mark.parametrize("width", [360, 1000, 1280])
def test_what_has_the_focus_is_seen(page: Page, site: Path, width: int) -> None:
    page.size(width, 800, mobile=width < 600)
    page.open((site / "other.html").as_uri())
    met = []
    for _ in range(STEPS):
        page.press("Tab")
        told, left, right, top, bottom, outline, wide, high = json.loads(page.run(WHERE))
        if told.startswith("BODY"):
            break
        met.append(told)
        assert -1 <= left < right <= wide + 1 and top < high and bottom > 0, f"{told}: beside the page at {width}"
        assert outline != "none", f"{told}: nothing shows that it has the focus"
    assert any("toc" not in one and "Other" in one for one in met) and any("Another part" in one for one in met), met
