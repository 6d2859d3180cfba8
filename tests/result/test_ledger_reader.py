from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ftbench.errors import InvalidInput, MissingResource
from ftbench.result import ledger
from ftbench.spec.canonical import canonical, sha256

D = "d" * 64
HASH = "a" * 64


def started() -> dict[str, Any]:
    return {
        "event": "started", "spec_hash": HASH, "entry": D, "base_model": D, "seed": 1, "clients": 2, "rounds": 2,
        "trainable_parameters": 10, "adapter": D,
    }  # fmt: skip


def a_round(number: int) -> dict[str, Any]:
    return {
        "event": "round", "round": number, "learning_rate": 0.1, "sampled": [0], "excluded": [], "bytes_down": 1,
        "replies": [{"partition": 0, "examples": 1, "steps": 1, "loss": 0.5, "update": D}], "bytes_up": 1,
        "adapter": D, "strategy_state": None, "client_states": {},
    }  # fmt: skip


FINISHED = {"event": "finished", "rounds": 2, "round": 2, "adapter": D, "bytes_down": 2, "bytes_up": 2}
STOPPED = {"event": "stopped", "round": 2, "reason": "operator-limit", "excluded": [], "detail": ""}


def resumed(after: int) -> dict[str, Any]:
    return {"event": "resumed", "after_round": after}


def chained(*bodies: dict[str, Any]) -> bytes:
    before, out = ledger.genesis(HASH), b""
    for number, body in enumerate(bodies):
        line = canonical({"seq": number, "prev": before, "body": body}) + b"\n"
        before, out = sha256(line), out + line
    return out


WHOLE = (started(), a_round(1), resumed(1), STOPPED, resumed(1), a_round(2), FINISHED)


def test_whole(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    path.write_bytes(chained(*WHOLE))
    lines = ledger.read(path)
    assert [line.body.event for line in lines] == [body["event"] for body in WHOLE]
    assert ledger.order_problems(lines) == []
    assert ledger.head(path.read_bytes()) == sha256(path.read_bytes().splitlines(keepends=True)[-1])


def test_genesis_is_the_contract() -> None:
    assert ledger.genesis("00") == sha256(b"ftbench/ledger/v1\n00")


def test_torn_last_line(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    path.write_bytes(chained(*WHOLE)[:-5])
    with pytest.raises(InvalidInput, match="torn"):
        ledger.read(path)
    assert len(ledger.read(path, drop_torn=True)) == len(WHOLE) - 1


def test_missing(tmp_path: Path) -> None:
    with pytest.raises(MissingResource):
        ledger.read(tmp_path / "ledger.jsonl")


@pytest.mark.parametrize("edit", [
    lambda data: data.replace(b'"seq":1', b'"seq":7'),
    lambda data: data.replace(b'"loss":0.5', b'"loss":0.25', 1),
    lambda data: data.replace(b'{"body"', b'{ "body"', 1),
    lambda data: data.replace(b'"loss":0.5', b'"loss":5e-1', 1),
    lambda data: data.replace(b"\n", b"\r\n", 1),
    lambda data: data + b"\n",
    lambda data: b"".join(data.splitlines(keepends=True)[1:]),
    lambda data: data.replace(b'"event":"resumed"', b'"event":"rested"', 1),
])  # fmt: skip
def test_edited(tmp_path: Path, edit: Any) -> None:
    path = tmp_path / "ledger.jsonl"
    data = edit(chained(*WHOLE))
    assert data != chained(*WHOLE)
    path.write_bytes(data)
    with pytest.raises(InvalidInput):
        ledger.read(path)


@pytest.mark.parametrize(("bodies", "told"), [
    ((), "empty"),
    ((started(), a_round(1)), "not `finished`"),
    ((a_round(1), FINISHED), "must be the first"),
    ((started(), started(), FINISHED), "must be the first"),
    ((started(), STOPPED, FINISHED), "only `resumed` may"),
    ((started(), a_round(1), STOPPED, a_round(2), FINISHED), "only `resumed` may"),
    ((started(), FINISHED, FINISHED), "lines follow"),
    ((started(), a_round(1), resumed(0), FINISHED), "resumed after round 0"),
    ((started(), a_round(1), a_round(2), STOPPED, resumed(2), FINISHED), "stopped in round 2"),
])  # fmt: skip
def test_order(bodies: tuple[dict[str, Any], ...], told: str) -> None:
    lines = ledger.parse(chained(*bodies), "ledger.jsonl")
    assert any(told in problem for problem in ledger.order_problems(lines))
