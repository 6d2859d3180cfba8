"""docs/walkthroughs: what a person types, in order, and what came back, held to what comes back now."""

from __future__ import annotations

from pathlib import Path

import pages
import pytest
import walk

ELSEWHERE = {"flowertune": "tests/flowertune/test_walkthrough.py"}
"""Begins with an app that its own test makes."""
FOLDER = pages.ROOT / "docs" / "walkthroughs"
WALKTHROUGHS = sorted(path for path in FOLDER.glob("*.md") if path.stem not in ELSEWHERE)


def carried_out(page: Path, tmp_path: Path, *, slow: bool) -> None:
    here, did = walk.begin(page, tmp_path), 0
    for block in pages.blocks(page):
        if block.language != "console" or (block.how == "slow" and not slow):
            continue
        for one in pages.exchanges(block):
            code, came = pages.run(one.command, here)
            assert code == 0, f"{block}: $ {one.command}\nexit code {code}\n{came}"
            assert pages.fits(one.answer, came), (
                f"{block}: $ {one.command}\n--- the page\n{one.answer}\n--- came\n{came}"
            )
            did += 1
    assert did > 3


def is_slow(page: Path) -> bool:
    return any(block.how == "slow" for block in pages.blocks(page))


@pytest.mark.parametrize("page", WALKTHROUGHS, ids=lambda page: page.stem)
def test_walkthrough(page: Path, tmp_path: Path) -> None:
    """But for the blocks that are marked as slow."""
    carried_out(page, tmp_path, slow=False)


@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page in WALKTHROUGHS if is_slow(page)], ids=lambda page: page.stem)
def test_whole_walkthrough(page: Path, tmp_path: Path) -> None:
    carried_out(page, tmp_path, slow=True)


def test_an_answer_that_does_not_fit_is_seen() -> None:
    assert pages.fits("a … c\n…\nd", "a b c\nx\ny\nd\n")
    assert pages.fits("", "")
    assert not pages.fits("a", "a\nb\n")
    assert not pages.fits("", "a\n")
    assert not pages.fits("a … c", "a b d\n")
