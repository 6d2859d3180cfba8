"""What `ftbench doctor` finds before a run does."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ftbench.cli import checkup


def test_a_folder_that_cannot_be_written_to_is_told_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert next(iter(checkup.disk(None))).outcome == "ok"
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != tmp_path)
    here = next(iter(checkup.disk(None)))
    assert here.outcome == "fail" and "cannot be written to" in here.detail
