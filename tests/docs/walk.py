"""Carry out a walkthrough and write what came back into it: `python tests/docs/walk.py docs/walkthroughs/reader.md`.

Answers that hold `…` are kept where they still fit.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

import pages

START = {"reader": "docs/walkthroughs/board", "maintainer": "docs/walkthroughs/board", "author": "docs/tutorial"}
"""The folder of a checkout whose copy a walkthrough begins in; the others begin in an empty one."""


def begin(page: Path, folder: Path) -> Path:
    """The folder `here` below `folder`, as the page expects it."""
    here = folder / "here"
    if page.stem in START:
        shutil.copytree(pages.ROOT / START[page.stem], here)
    else:
        here.mkdir()
    return here


def walk(page: Path, here: Path) -> str:
    """The page's text with every answer as it came back. A command that fails ends it."""
    text = page.read_text(encoding="utf-8")
    for block in [block for block in pages.blocks(page) if block.language == "console"]:
        made = []
        for one in pages.exchanges(block):
            code, came = pages.run(one.command, here)
            if code:
                raise SystemExit(f"{block}: {one.command}: exit code {code}\n{came}")
            answer = one.answer if pages.fits(one.answer, came) else came.strip("\n")
            typed = "\n".join(
                ["$ " + one.command.splitlines()[0], *("> " + more for more in one.command.splitlines()[1:])]
            )
            made.append(typed + ("\n" + answer if answer else ""))
        text = text.replace(block.text, "\n".join(made) + "\n")
    return text


if __name__ == "__main__":
    for name in sys.argv[1:]:
        with tempfile.TemporaryDirectory() as folder:
            target = Path(name).resolve()
            target.write_text(walk(target, begin(target, Path(folder))), encoding="utf-8")
