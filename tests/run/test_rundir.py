"""The run folder: its name, its lock, its settings, and reading files that are being written."""

from __future__ import annotations

import fcntl
import json
from pathlib import Path

import pytest

from ftbench.errors import InvalidInput, MissingResource, RunFailed
from ftbench.run.processes.tail import JsonTail, LedgerTail, Tail
from ftbench.run.rundir import RunDir, RunSettings
from ftbench.spec.entry import EntryMetadata, ResolvedEntry
from ftbench.spec.model import BaseModelRef

ENTRY = ResolvedEntry(
    metadata=EntryMetadata(name="mine"),
    model=BaseModelRef(name="builtin/micro", revision="a" * 64),
    seed=3,
    knobs={"adapter.rank": 8, "training.schedule.learning_rate": 1e-2},
)
SETTINGS = RunSettings(
    spec_hash="b" * 64,
    engine="inline",
    stores=["/store"],
    micro_batch=0,
    smoke=False,
    unpinned=False,
    round_timeout=3600.0,
    token="0123456789abcdef",
)


def filled(out: Path) -> RunDir:
    run = RunDir.create(out, "bench-mine-s3")
    run.fill({"app/ftbench_app/plan.json": b"{}", "app/ftbench_app/x.py": b"pass\n"}, ENTRY, SETTINGS)
    return run


def test_names_do_not_collide(tmp_path: Path) -> None:
    made = [RunDir.create(tmp_path / "runs", "bench-mine-s3").path.name for _ in range(3)]
    assert made == ["bench-mine-s3", "bench-mine-s3-2", "bench-mine-s3-3"]


def test_what_a_killed_start_left_goes(tmp_path: Path) -> None:
    """A start that was killed while it filled its folder left one that could not be resumed and kept its name."""
    half = filled(tmp_path)
    half.settings_file.unlink()
    assert RunDir.create(tmp_path, "bench-mine-s3").path.name == "bench-mine-s3-2"  # no lock: not a start's of ours
    with half.alone():
        assert RunDir.create(tmp_path, "bench-mine-s3").path.name == "bench-mine-s3-3"  # it is being filled
    own = half.path / "notes.txt"
    own.write_text("mine")
    assert RunDir.create(tmp_path, "bench-mine-s3").path.name == "bench-mine-s3-4"
    own.unlink()
    again = RunDir.create(tmp_path, "bench-mine-s3")
    assert again.path.name == "bench-mine-s3" and list(again.path.iterdir()) == []
    whole = filled(tmp_path / "other")
    with whole.alone():
        pass
    assert RunDir.create(tmp_path / "other", "bench-mine-s3").path.name == "bench-mine-s3-2"


def test_a_place_that_cannot_hold_folders_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(MissingResource, match="FTB501"):
        RunDir.create(tmp_path / "file", "bench")


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    run = RunDir.open(filled(tmp_path).path)
    assert run.settings() == SETTINGS
    assert run.entry() == ENTRY
    assert (run.compiled / "app/ftbench_app/x.py").read_bytes() == b"pass\n"


def test_a_folder_without_run_json_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"FTB501 no run\.json"):
        RunDir.open(tmp_path)


def test_a_damaged_run_json_is_named(tmp_path: Path) -> None:
    run = filled(tmp_path)
    run.settings_file.write_text("{")
    with pytest.raises(InvalidInput, match=r"run\.json cannot be read"):
        run.settings()


def test_two_cannot_work_in_one_folder(tmp_path: Path) -> None:
    run = filled(tmp_path)
    with run.alone(), pytest.raises(RunFailed, match="FTB500"), RunDir.open(run.path).alone():
        pass
    with RunDir.open(run.path).alone():
        pass


def test_the_lock_does_not_pass_to_child_processes(tmp_path: Path) -> None:
    run = filled(tmp_path)
    with run.alone(), (run.path / ".lock").open() as file, pytest.raises(OSError):
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_a_copied_folder_marks_its_processes_otherwise(tmp_path: Path) -> None:
    first, second = filled(tmp_path / "a"), filled(tmp_path / "b")
    assert first.marker() != second.marker()
    assert first.marker().startswith(SETTINGS.token)
    moved = first.path.rename(tmp_path / "moved")
    assert RunDir.open(moved).marker() == RunDir(moved).marker()


def test_tail_gives_each_whole_line_once(tmp_path: Path) -> None:
    path = tmp_path / "file"
    tail = Tail(path)
    assert tail.lines() == []
    path.write_bytes(b"one\ntwo\nthr")
    assert tail.lines() == [b"one", b"two"]
    assert tail.lines() == []
    with path.open("ab") as file:
        file.write(b"ee\n")
    assert tail.lines() == [b"three"]


def test_tail_survives_a_torn_line_that_is_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"one\ntorn")
    tail = Tail(path)
    assert tail.lines() == [b"one"]
    path.write_bytes(b"one\n")
    assert tail.lines() == []
    path.write_bytes(b"one\ntwo\n")
    assert tail.lines() == [b"two"]


def test_tail_can_skip_what_is_there(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old\n")
    tail = Tail(path, skip=True)
    path.write_bytes(b"old\nnew\n")
    assert tail.lines() == [b"new"]


def test_lines_that_are_no_events_are_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    line = {"seq": 0, "prev": "0" * 64, "body": {"event": "resumed", "after_round": 2}}
    path.write_text("nonsense\n[]\n" + json.dumps(line) + "\n")
    assert [found.seq for found in LedgerTail(path).read()] == [0]
    assert JsonTail(path).read() == [line]
