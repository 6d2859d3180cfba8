"""docs/walkthroughs/flowertune.md: the commands are typed, and what comes back is what stands there.

`python tests/flowertune/test_walkthrough.py` writes what comes back into the page.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import apps
import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "walkthroughs" / "flowertune.md"
BLOCK = re.compile(r"^```console\n(.*?)^```\n", re.DOTALL | re.MULTILINE)
BETWEEN = {
    "ftbench validate my-prompt.yaml": "import flowertune my-app --out again.yaml --prompts my-prompt.yaml",
    "ftbench evaluate my-app-adapter --spec micro/finance --limit 4": "import flowertune my-app --out third.yaml "
    "--checkpoint my-app/results/peft_15",
}
"""Command of the page → what its text has typed before it."""


def typed(command: str, folder: Path) -> str:
    """What a command says on stdout."""
    done = subprocess.run(
        [sys.executable, "-m", "ftbench", *command.split()],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONPATH": str(ROOT), "COLUMNS": "80"},
    )
    assert done.returncode in {0, 1}, done.stderr
    return done.stdout


def answered(page: str, folder: Path) -> Iterator[tuple[str, str]]:
    """Each block of the page, with what its commands say now."""
    for block in BLOCK.findall(page):
        said = ""
        for line in block.splitlines():
            if line.startswith("$ "):
                command = line.removeprefix("$ ")
                if command in BETWEEN:
                    typed(BETWEEN[command], folder)
                said += f"{line}\n{typed(command.removeprefix('ftbench '), folder)}"
        yield block, said


@pytest.mark.slow
def test_the_page_says_what_comes_back(tmp_path: Path) -> None:
    apps.walkthrough(tmp_path / "my-app")
    blocks = list(answered(PAGE.read_text(), tmp_path))
    assert len(blocks) == 5
    for there, now in blocks:
        assert there == now


def refresh() -> None:
    """Write what comes back into the page."""
    with tempfile.TemporaryDirectory() as folder:
        apps.walkthrough(Path(folder) / "my-app")
        page = PAGE.read_text()
        for there, now in answered(page, Path(folder)):
            page = page.replace(there, now)
        PAGE.write_text(page)


if __name__ == "__main__":
    refresh()
