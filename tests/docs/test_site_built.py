"""The documentation as a site: built offline, any warning an error, and a broken link is one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pages
import pytest

sys.path.insert(0, str(pages.ROOT / "docs"))

import reference

from ftbench.cli.table import COMMANDS
from ftbench.explained import explained


def test_reference_pages_are_of_everything() -> None:
    made = dict(reference.pages())
    assert {f"diagnostics/{code}.md" for code in explained()} <= set(made)
    assert {f"commands/{name}.md" for name in COMMANDS} <= set(made)
    assert "| `rank` | a whole number, at least 1 and at most 4096 | required |" in made["spec/adapter.md"]
    page = made["diagnostics/FTB329.md"]
    assert all(f"**{part}.**" in page for part in ("What", "Why", "How to mend it"))
    assert "--fail-on" in made["commands/diff.md"]


@pytest.mark.slow
def test_it_is_built_without_a_warning(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(pages.ROOT / "docs" / "build.py"), str(tmp_path / "site")],
        capture_output=True, text=True, check=False, timeout=1200,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    site = tmp_path / "site" / "docs"
    assert (site / "reference/diagnostics/FTB329.html").is_file() and (site / "walkthroughs/reader.html").is_file()
    for page in site.glob("*.html"):
        text = page.read_text(encoding="utf-8")
        assert "fonts.googleapis" not in text and 'src="http' not in text, f"{page.name} asks the network"
