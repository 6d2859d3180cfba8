"""Steps of a round under way: what a client writes while it trains, and what a view says of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ftbench.app import step_log
from ftbench.run import views
from ftbench.run.processes.tail import StepTail
from ftbench.run.progress import STEPS, Progress


def test_what_clients_write_is_added_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert step_log.NAME == STEPS
    now = [0.0]
    monkeypatch.setattr(step_log.time, "monotonic", lambda: now[0])
    (tmp_path / "ledger.jsonl").write_bytes(b"")
    tail = StepTail(tmp_path / STEPS)
    one, other = (step_log.told_to(tmp_path, 2, partition, 16) for partition in (0, 3))
    one(1)
    assert tail.read(2) == 0, "not more often than once a second"
    now[0] = 1.5
    one(4)
    other(6)
    assert (tail.read(2), tail.read(2)) == (10, 10)
    now[0] = 3.0
    one(9)
    assert tail.read(2) == 15
    assert tail.read(3) == 0, "another round begins at nothing"
    assert json.loads((tmp_path / STEPS).read_text().splitlines()[-1]) == {
        "of": 16,
        "partition": 0,
        "round": 2,
        "step": 9,
    }
    assert StepTail(tmp_path / STEPS).read(2) == 0, "an earlier start's steps are not this one's"


def test_where_the_run_is_not_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(step_log.time, "monotonic", lambda: now[0])
    told = [step_log.told_to(folder, 1, 0, 4) for folder in (None, tmp_path, tmp_path / "nowhere")]
    now[0] = 9.0
    for tell in told:
        tell(3)
    assert not list(tmp_path.iterdir())


def test_a_view_says_how_many(tmp_path: Path) -> None:
    progress = Progress(
        "bench", "inline", tmp_path, phase="train", started=True, rounds=2, doing="2 of 4 clients train"
    )
    progress.steps_done, progress.steps_asked, progress.round_seconds = 13, 32, 40.0
    assert views.under_way(progress) == "in round 1/2 for 40 s: 2 of 4 clients train, 13 of 32 steps taken"
