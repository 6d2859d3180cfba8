"""Replies are judged one by one and may wait on disk: the same adapter, whatever fits into memory."""

from __future__ import annotations

import errno
import resource
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy
import pytest
from flwr.app import Message, MessageType, RecordDict

from ftbench.app import exchange, inbox, transport
from ftbench.run.engines.inline_grid import InlineGrid

MakeBench = Callable[..., Any]
EVERYONE = {"federation.sampling.fraction": 1.0, "federation.rounds": 2}
ADAM = {"server_learning_rate": 0.01, "beta1": 0.9, "beta2": 0.99, "tau": 0.001}


@pytest.fixture
def tiny_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """One reply at a time, and none stays in memory."""
    for module in (inbox, exchange):
        monkeypatch.setattr(module, "MEMORY_BYTES", 1)


class Counting(InlineGrid):
    """Remembers how many messages and replies were handed over in one go."""

    most = 0

    def push_messages(self, messages: Any) -> list[str]:
        given = list(messages)
        self.count(given)
        return super().push_messages(given)

    def pull_messages(self, message_ids: Any) -> list[Message]:
        names = list(message_ids)
        self.count([name for name in names if self._waiting[name].metadata.message_type == MessageType.TRAIN])
        return super().pull_messages(names)

    def count(self, given: list[Any]) -> None:
        train = [one for one in given if isinstance(one, str) or one.metadata.message_type == MessageType.TRAIN]
        Counting.most = max(Counting.most, len(train))


class Backwards(InlineGrid):
    """Hands over the last reply first."""

    def pull_messages(self, message_ids: Any) -> list[Message]:
        return super().pull_messages(list(message_ids))[::-1]


@pytest.mark.parametrize("kind", ["fedavg", "fedadam", "flexlora"])
def test_replies_on_disk_make_the_same_ledger(make_bench: MakeBench, kind: str, request: pytest.FixtureRequest) -> None:
    parameters = ADAM if kind == "fedadam" else {}
    changes = {**EVERYONE, **{f"strategy.{name}": value for name, value in {"kind": kind, **parameters}.items()}}
    ledgers = []
    for name in ("memory", "disk"):
        if name == "disk":
            request.getfixturevalue("tiny_memory")
        bench = make_bench(changes, name=name)
        bench.play()
        ledgers.append((bench.run_dir / "ledger.jsonl").read_bytes())
        assert not (bench.run_dir / inbox.FOLDER).exists()
    assert ledgers[0] == ledgers[1]


@pytest.mark.usefixtures("tiny_memory")
def test_one_message_and_one_reply_at_a_time(make_bench: MakeBench) -> None:
    Counting.most = 0
    make_bench(EVERYONE).play(Counting)
    assert Counting.most == 1


def test_small_replies_are_fetched_together(make_bench: MakeBench) -> None:
    Counting.most = 0
    make_bench(EVERYONE).play(Counting)
    assert Counting.most == 3


def test_arrays_on_disk_are_the_arrays(tmp_path: Path) -> None:
    arrays = {name: numpy.arange(6, dtype="f4").reshape(shape) for name, shape in {"a": (2, 3), "b": (6,)}.items()}
    kept = inbox.OnDisk(tmp_path / "deep" / "0.arrays", arrays)
    assert list(kept) == ["a", "b"] and len(kept) == 2
    assert all(numpy.array_equal(kept[name], arrays[name]) and kept[name].dtype == "f4" for name in arrays)


def test_a_full_disk_is_told_as_such(tmp_path: Path) -> None:
    """As an OSError, which ends the run with FTB558."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (64, before[1]))
    try:
        with pytest.raises(OSError) as full:
            inbox.OnDisk(tmp_path / "0.arrays", {"a": numpy.zeros(64, dtype="f4")})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert full.value.errno == errno.EFBIG


def test_what_an_interrupted_round_left_is_gone(tmp_path: Path) -> None:
    first = inbox.Inbox(tmp_path, inbox.MEMORY_BYTES + 1)
    first.keep(3, {"a": numpy.zeros(2, dtype="f4")})
    assert (tmp_path / inbox.FOLDER / "3.arrays").exists()
    inbox.Inbox(tmp_path, 1)
    assert not (tmp_path / inbox.FOLDER).exists()


def test_replies_keep_their_places(make_bench: MakeBench) -> None:
    """Whatever the order in which replies come, each is handed over with the position of its message."""
    grid = make_bench(EVERYONE).grid(Backwards)
    nodes = list(grid.get_node_ids())
    messages = [Message(RecordDict(), dst_node_id=node, message_type=MessageType.QUERY) for node in nodes]
    found: dict[int, int] = {}
    transport.exchange(grid, messages, 1.0, lambda k, reply: found.update({k: reply.metadata.src_node_id}))
    assert [found[position] for position in range(len(nodes))] == nodes
