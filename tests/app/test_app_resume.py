"""Killed at any moment, a resumed run ends at the adapter of a run that nobody killed."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ftbench.app import files, ledger, measure
from ftbench.app.errors import AppError
from ftbench.result.documents import LedgerLine

MakeBench = Callable[..., Any]
ROUNDS = {"federation.rounds": 2, "federation.sampling.fraction": 0.34}


class Killed(BaseException):
    """Stands for SIGKILL: nothing catches it."""


class Kill:
    """Raises Killed at the n-th time that something is made durable, or with `half` in the n-th line being appended."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.left = 0
        self.half = False
        monkeypatch.setattr(files.os, "fsync", self.fsync)
        for module in (ledger, measure):
            monkeypatch.setattr(module, "append_line", self.append)

    def arm(self, left: int, half: bool = False) -> None:
        self.left, self.half = left, half

    def due(self) -> bool:
        self.left -= 1
        return self.left == 0

    def fsync(self, descriptor: int, fsync: Callable[[int], None] = os.fsync) -> None:
        if not self.half and self.due():
            raise Killed
        fsync(descriptor)

    def append(self, path: Path, line: bytes, append: Callable[[Path, bytes], None] = files.append_line) -> None:
        if self.half and self.due():
            with path.open("ab") as file:
                file.write(line[: len(line) // 2])
            raise Killed
        append(path, line)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def rounds(bench: Any) -> list[dict[str, Any]]:
    return [body for body in bench.ledger if body["event"] in ("round", "finished")]


@pytest.fixture
def whole(make_bench: MakeBench) -> Any:
    bench = make_bench(ROUNDS, name="whole")
    bench.play()
    return bench


@pytest.mark.parametrize(("half", "least"), [(False, 16), (True, 6)])
def test_killed_at_every_write(
    make_bench: MakeBench, monkeypatch: pytest.MonkeyPatch, whole: Any, half: bool, least: int
) -> None:
    kill = Kill(monkeypatch)
    point = 0
    while True:
        point += 1
        bench = make_bench(ROUNDS, name=f"killed{point}")
        kill.arm(point, half)
        try:
            bench.play()
        except Killed:
            kill.arm(0)
            bench.play(resume=True)
            assert rounds(bench) == rounds(whole)
            assert contents(bench.run_dir / "adapter") == contents(whole.run_dir / "adapter")
            for line in (bench.run_dir / "ledger.jsonl").read_text().splitlines():
                LedgerLine.model_validate_json(line)
        else:
            break
    assert point > least


def test_killed_again_and_again(make_bench: MakeBench, monkeypatch: pytest.MonkeyPatch, whole: Any) -> None:
    kill = Kill(monkeypatch)
    bench = make_bench(ROUNDS)
    killed = 0
    while True:
        kill.arm(4 + killed)  # later each time, so that it gets somewhere
        try:
            bench.play(resume=bool(killed))
            break
        except Killed:
            killed += 1
    assert killed >= 3
    assert rounds(bench) == rounds(whole)
    assert [b["after_round"] for b in bench.ledger if b["event"] == "resumed"] == sorted(
        b["after_round"] for b in bench.ledger if b["event"] == "resumed"
    )


def test_a_finished_run_has_nothing_to_do(whole: Any) -> None:
    before = (whole.run_dir / "ledger.jsonl").read_bytes()
    (whole.run_dir / "adapter" / "adapter_config.json").unlink()
    whole.play(resume=True)
    assert (whole.run_dir / "ledger.jsonl").read_bytes() == before
    assert (whole.run_dir / "adapter" / "adapter_config.json").exists()


@pytest.mark.parametrize("change", [{"seed": 2}, {"adapter.rank": 3}, {"smoke": True}])
def test_other_conditions_are_refused(whole: Any, change: dict[str, Any]) -> None:
    before = (whole.run_dir / "ledger.jsonl").read_bytes()
    with pytest.raises(AppError, match="other conditions") as caught:
        whole.play(resume=True, **change)
    assert caught.value.code == "FTB550"
    assert (whole.run_dir / "ledger.jsonl").read_bytes() == before


def test_a_damaged_state_file_is_not_continued_from(make_bench: MakeBench, monkeypatch: pytest.MonkeyPatch) -> None:
    kill = Kill(monkeypatch)
    bench = make_bench(ROUNDS)
    kill.arm(9)
    with pytest.raises(Killed):
        bench.play()
    kill.arm(0)
    name = bench.ledger[-1]["adapter"]
    assert bench.ledger[-1]["event"] == "round"
    path = bench.run_dir / "state" / f"{name}.safetensors"
    data = path.read_bytes()
    for damaged in (data[:-1], data[:-1] + bytes([data[-1] ^ 1]), b""):
        path.write_bytes(damaged)
        with pytest.raises(AppError) as caught:
            bench.play(resume=True)
        assert caught.value.code == "FTB549"
    path.unlink()
    with pytest.raises(AppError):
        bench.play(resume=True)


def test_temporary_files_of_a_killed_start_go(whole: Any) -> None:
    left = whole.run_dir / "state" / ".x.safetensors.1.tmp"
    left.write_bytes(b"half")
    whole.play(resume=True)
    assert not left.exists()


KEEPING = {
    **ROUNDS,
    "strategy.kind": "fedavgm",
    "strategy.momentum": 0.9,
    "strategy.server_learning_rate": 1.0,
    "transport": {"down": "int8", "up": "int8"},
    "evaluation.quality_within": {"communication_mib": [0.1, 1.0]},
}
"""With states of server and clients, and adapters within budgets."""


def test_no_kill_leaves_a_file_behind(make_bench: MakeBench, monkeypatch: pytest.MonkeyPatch) -> None:
    kill = Kill(monkeypatch)
    whole = make_bench(KEEPING, name="whole")
    whole.play()
    point = 0
    while True:
        point += 3
        bench = make_bench(KEEPING, name=f"killed{point}")
        kill.arm(point)
        try:
            bench.play()
        except Killed:
            kill.arm(0)
            bench.play(resume=True)
            assert files_of(bench.run_dir) == files_of(whole.run_dir)
        else:
            break
    assert point > 25


def files_of(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_what_no_committed_round_names_goes(whole: Any) -> None:
    """Of rounds that were cut off and came out otherwise when they were repeated, because other clients failed."""
    before = files_of(whole.run_dir)
    for name in (f"state/{'0' * 64}.safetensors", "inbox/0.safetensors", "within/round-1/.x.safetensors.1.tmp"):
        path = whole.run_dir / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"left")
    whole.play(resume=True)
    assert files_of(whole.run_dir) == before


def test_an_atomic_write_that_fails_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    files.write_atomic(path, b"old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        files.write_atomic(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]
