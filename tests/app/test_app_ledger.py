"""The ledger: whole lines only, one chain, read back by the model that bundles are read with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import rfc8785

from ftbench.app.errors import AppError
from ftbench.app.ledger import Ledger
from ftbench.app.measure import Measurements, peak_memory_bytes

HASH = "a" * 64
STARTED = {
    "event": "started",
    "spec_hash": HASH,
    "entry": "b" * 64,
    "base_model": "c" * 64,
    "seed": 1,
    "clients": 2,
    "rounds": 2,
    "trainable_parameters": 10,
    "adapter": "d" * 64,
}


def round_line(number: int) -> dict[str, Any]:
    return {
        "event": "round",
        "round": number,
        "learning_rate": 0.01,
        "sampled": [0],
        "replies": [{"partition": 0, "examples": 3, "steps": 2, "loss": 1.5, "update": "e" * 64}],
        "excluded": [],
        "bytes_down": 40,
        "bytes_up": 40,
        "adapter": "f" * 64,
        "strategy_state": None,
        "client_states": {},
    }


FINISHED = {"event": "finished", "rounds": 2, "round": 2, "adapter": "f" * 64, "bytes_down": 80, "bytes_up": 80}


def write(path: Path) -> None:
    ledger = Ledger(path, HASH)
    for body in (STARTED, round_line(1), {"event": "resumed", "after_round": 1}, round_line(2), FINISHED):
        ledger.append(body)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    from ftbench.result.ledger import read

    path = tmp_path / "ledger.jsonl"
    write(path)
    ledger = Ledger(path, HASH)
    assert [body["event"] for body in ledger.bodies] == ["started", "round", "resumed", "round", "finished"]
    assert ledger.finished
    assert len(ledger.rounds()) == 2
    assert [line.body.event for line in read(path)] == [body["event"] for body in ledger.bodies]


def test_a_tail_torn_anywhere_is_dropped_and_the_chain_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    write(path)
    data = path.read_bytes()
    ends = [0, *(at + 1 for at, byte in enumerate(data) if byte == 10)]
    for cut in range(len(data) + 1):
        path.write_bytes(data[:cut])
        ledger = Ledger(path, HASH)
        whole = max(end for end in ends if end <= cut)
        assert path.read_bytes() == data[:whole]
        assert len(ledger.bodies) == ends.index(whole)
    path.write_bytes(data[: ends[3] + 5])
    ledger = Ledger(path, HASH)
    ledger.append(round_line(2))
    ledger.append(FINISHED)
    assert path.read_bytes() == data


def test_a_last_line_of_rubbish_was_never_committed(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    write(path)
    data = path.read_bytes()
    path.write_bytes(data + b"\0" * 40 + b"\n")
    assert len(Ledger(path, HASH).bodies) == 5
    assert path.read_bytes() == data


def edited(lines: list[bytes], number: int, **changes: Any) -> list[bytes]:
    value = json.loads(lines[number])
    value["body"] |= changes
    return [*lines[:number], rfc8785.dumps(value) + b"\n", *lines[number + 1 :]]


@pytest.mark.parametrize(
    "change",
    [
        lambda lines: edited(lines, 1, bytes_up=1),
        lambda lines: edited(lines, 1, round=2),
        lambda lines: [*lines[:1], *lines[2:]],
        lambda lines: lines[1:],
        lambda lines: [lines[0], lines[0]],
        lambda lines: [*lines[:2], b"rubbish\n", *lines[2:]],
        lambda lines: [*lines[:2], b"[]\n"],
        lambda lines: [*lines[:2], b'{"body":{},"prev":"","seq":2}\n'],
        lambda lines: [lines[0].replace(b":", b": ", 1), *lines[1:]],
        lambda lines: [*lines, lines[-1]],
    ],
)
def test_a_changed_ledger_is_refused(tmp_path: Path, change: Any) -> None:
    path = tmp_path / "ledger.jsonl"
    write(path)
    path.write_bytes(b"".join(change(path.read_bytes().splitlines(keepends=True))))
    with pytest.raises(AppError) as caught:
        Ledger(path, HASH)
    assert caught.value.code == "FTB550"


def test_the_chain_begins_with_the_spec_hash(tmp_path: Path) -> None:
    write(tmp_path / "ledger.jsonl")
    with pytest.raises(AppError):
        Ledger(tmp_path / "ledger.jsonl", "b" * 64)


def test_measurements_go_on_after_a_torn_line(tmp_path: Path) -> None:
    path = tmp_path / "measurements.jsonl"
    Measurements(path).add(1, 0.5, 100)
    with path.open("ab") as file:
        file.write(b'{"round": 2')
    told = {"allocated_bytes": 40, "micro_batch": 2}
    Measurements(path).add(2, 1.25, 200, 50, deterministic=False, sent=(30, 20), clients=told)
    names = ("round", "seconds", "peak_memory_bytes", "peak_device_bytes", "deterministic", "bytes_down", "bytes_up")
    names = (*names, "clients")
    assert [json.loads(line) for line in path.read_text().splitlines()] == [
        dict(zip(names, values, strict=True))
        for values in [(1, 0.5, 100, 0, True, 0, 0, {}), (2, 1.25, 200, 50, False, 30, 20, told)]
    ]


def test_peak_memory_is_this_process_s() -> None:
    assert 2**20 < peak_memory_bytes() < 2**40
