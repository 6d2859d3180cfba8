"""Where files lie on the machine that builds is in no page: pages are digested, published, and made again elsewhere."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from ftbench.cli.main import run

BOARD = Path(__file__).resolve().parents[2] / "docs" / "walkthroughs" / "board"


@pytest.mark.slow
def test_the_same_site_from_two_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    for name in ("first/board", "somewhere/else with spaces/board"):
        place = tmp_path / name
        shutil.copytree(BOARD, place)
        monkeypatch.chdir(place)
        assert run(["site", "build", str(place), "-o", str(tmp_path / "site")]) == 0
        made.append(json.loads((tmp_path / "site" / "site.json").read_bytes()))
        assert not [
            page for page in (tmp_path / "site").rglob("*.html") if str(tmp_path) in page.read_text(encoding="utf-8")
        ]
    assert made[0] == made[1]
