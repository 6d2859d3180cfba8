"""Where the seconds before the first round go."""

from __future__ import annotations

from pathlib import Path

import pytest

from ftbench.run import start


def test_marks_of_several_processes_are_put_in_order(tmp_path: Path) -> None:
    start.mark(tmp_path, "importing", 103.0)
    start.mark(tmp_path, "checks", 100.0)
    start.mark(tmp_path, "", 110.5)
    assert start.phases(tmp_path) == [("checks", 3.0), ("importing", 7.5)]
    assert start.told(tmp_path) == "first round after 10.5 s: checks 3.0 s, importing 7.5 s"
    start.begin(tmp_path)
    assert start.told(tmp_path) == ""


@pytest.mark.parametrize("text", ["", "{", "[]\n", '{"at": "x", "what": 1}\n'])
def test_what_cannot_be_read_tells_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / start.MARKS).write_text(text)
    assert start.told(tmp_path) == ""
    start.mark(tmp_path / "not-there", "checks")
