"""Clients that fail, vanish, lie or send rubbish are left out and recorded; too few replies end the run."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy
import pytest
from flwr.app import Array, ArrayRecord, Error, Message

from ftbench.app import arrays as arr
from ftbench.app import transport
from ftbench.app.errors import AppError
from ftbench.result.documents import LedgerLine
from ftbench.run.engines.inline_grid import InlineGrid

MakeBench = Callable[..., Any]
Spoil = Callable[[InlineGrid, Message, Message], Message | None]


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time that passes only while the server waits."""
    time = [0.0]
    monkeypatch.setattr(transport, "now", lambda: time[0])
    monkeypatch.setattr(transport, "sleep", lambda seconds: time.__setitem__(0, time[0] + seconds))


def grid_that(spoil: Spoil, partitions: set[int]) -> type[InlineGrid]:
    """A grid on which the training replies of these partitions are spoiled."""

    class Faulty(InlineGrid):
        def deliver(self, message: Message) -> Message | None:
            if message.metadata.message_type != "train":
                return super().deliver(message)
            if self.partitions[message.metadata.dst_node_id] not in partitions:
                return super().deliver(message)
            reply = super().deliver(message)
            assert reply is not None
            return spoil(self, message, reply)

    return Faulty


def arrays_changed(change: Callable[[numpy.ndarray[Any, Any]], numpy.ndarray[Any, Any]]) -> Spoil:
    def spoil(_: InlineGrid, __: Message, reply: Message) -> Message:
        values = arr.from_record(reply.content["adapter"])
        name = sorted(values)[0]
        values[name] = change(values[name])
        reply.content["adapter"] = arr.to_record(values)
        return reply

    return spoil


def metric_changed(name: str, value: Any) -> Spoil:
    def spoil(_: InlineGrid, __: Message, reply: Message) -> Message:
        reply.content["metrics"][name] = value
        return reply

    return spoil


def metric_missing(_: InlineGrid, __: Message, reply: Message) -> Message:
    del reply.content["metrics"]["loss"]
    return reply


def array_missing(_: InlineGrid, __: Message, reply: Message) -> Message:
    values = arr.from_record(reply.content["adapter"])
    del values[sorted(values)[0]]
    reply.content["adapter"] = arr.to_record(values)
    return reply


def bytes_for_an_array(data: bytes, shape: tuple[int, ...] = (2, 2)) -> Spoil:
    def spoil(_: InlineGrid, __: Message, reply: Message) -> Message:
        reply.content["adapter"][arr.PACKED] = Array("float32", shape, "numpy.ndarray", data)
        return reply

    return spoil


def saved(save: Callable[..., None], *arrays: Any) -> bytes:
    file = io.BytesIO()
    save(file, *arrays)
    return file.getvalue()


NPY = saved(numpy.save, numpy.zeros((2, 2), dtype="f4"))


def no_arrays(_: InlineGrid, __: Message, reply: Message) -> Message:
    reply.content["adapter"] = ArrayRecord()
    return reply


def failed(code: int, reason: str) -> Spoil:
    return lambda _, message, __: Message(Error(code=code, reason=reason), reply_to=message)


def raises(grid: InlineGrid, message: Message, _: Message) -> Message | None:
    def client(*_: Any) -> Message:
        raise RuntimeError("the client's\ndisk is\x1b[31m full")

    working, grid.client = grid.client, client
    try:
        return InlineGrid.deliver(grid, message)
    finally:
        grid.client = working


def first_to(value: float) -> Callable[[numpy.ndarray[Any, Any]], numpy.ndarray[Any, Any]]:
    def change(array: numpy.ndarray[Any, Any]) -> numpy.ndarray[Any, Any]:
        array.flat[0] = value
        return array

    return change


FAULTS: dict[str, tuple[Spoil, str, str]] = {
    "exception": (raises, "error", "the client's disk is"),
    "no reply": (lambda *_: None, "missing", "no reply in time"),
    "node gone": (failed(5, "node unavailable"), "missing", "node unavailable"),
    "crash": (failed(8, "crashed"), "error", "crashed"),
    "nan": (arrays_changed(first_to(float("nan"))), "not-finite", "holds NaN"),
    "infinity": (arrays_changed(first_to(float("inf"))), "not-finite", "holds NaN or infinity"),
    "nan loss": (metric_changed("loss", float("nan")), "not-finite", "loss"),
    "shape": (arrays_changed(lambda a: a[:, :1].copy()), "wrong-shape", "has shape"),
    "dtype": (arrays_changed(lambda a: a.astype(numpy.float64)), "wrong-shape", "float64"),
    "array missing": (array_missing, "wrong-shape", "1 arrays missing"),
    "rubbish": (bytes_for_an_array(b"rubbish"), "wrong-shape", "cannot be read"),
    "another format": (bytes_for_an_array(saved(numpy.savez, numpy.zeros(2))), "wrong-shape", "cannot be read"),
    "broken archive": (bytes_for_an_array(b"PK\x03\x04 and no more"), "wrong-shape", "cannot be read"),
    "too large to be": (bytes_for_an_array(b"", (10**9, 10**9)), "wrong-shape", "cannot be read"),
    "too large a header": (
        bytes_for_an_array(NPY.replace(b"(2, 2), }" + b" " * 11, b"(99999999, 99999), }")),
        "wrong-shape",
        "cannot be read",
    ),
    "no arrays": (no_arrays, "wrong-shape", "cannot be read"),
    "partition": (metric_changed("partition-id", 0), "wrong-partition", "partition 0"),
    "examples": (metric_changed("num-examples", 99), "wrong-partition", "99 rows"),
    "too many used": (metric_changed("num-used", 99), "error", "used 99 of 7 rows"),
    "none used": (metric_changed("num-used", 0), "error", "used 0 of 7 rows"),
    "used not said": (metric_changed("num-used", -1), "error", "does not say how many of its rows it used"),
    "steps": (metric_changed("steps", 1), "error", "took 1 steps"),
    "endless steps": (metric_changed("steps", float("inf")), "error", "lacks a metric"),
    "metric missing": (metric_missing, "error", "lacks a metric"),
}


@pytest.mark.parametrize("fault", sorted(FAULTS))
def test_a_spoiled_reply_is_left_out(make_bench: MakeBench, fault: str) -> None:
    spoil, reason, detail = FAULTS[fault]
    bench = make_bench({"federation.sampling.fraction": 1.0, "federation.rounds": 1})
    bench.play(grid_that(spoil, {2}))
    body = bench.ledger[1]
    assert [reply["partition"] for reply in body["replies"]] == [0, 1]
    assert [(e["partition"], e["reason"]) for e in body["excluded"]] == [(2, reason)]
    assert detail in body["excluded"][0]["detail"]
    assert body["excluded"][0]["detail"].isprintable()
    assert bench.ledger[-1]["event"] == "finished"
    size = bench.ledger[0]["trainable_parameters"] * 4
    assert body["bytes_down"] == 3 * size
    if reason in ("not-finite", "wrong-partition"):
        assert body["bytes_up"] == 3 * size
    for line in (bench.run_dir / "ledger.jsonl").read_text().splitlines():
        LedgerLine.model_validate_json(line)


def test_what_is_left_out_does_not_count(make_bench: MakeBench) -> None:
    """The mean without client 2 is the same, whatever was wrong with client 2."""
    adapters = set()
    for name, fault in (("a", "nan"), ("b", "no reply"), ("c", "shape")):
        bench = make_bench({"federation.sampling.fraction": 1.0, "federation.rounds": 1}, name=name)
        bench.play(grid_that(FAULTS[fault][0], {2}))
        adapters.add(bench.ledger[-1]["adapter"])
    assert len(adapters) == 1


@pytest.mark.parametrize("fault", ["exception", "no reply", "nan"])
def test_too_few_replies_stop_the_run_and_it_can_go_on(make_bench: MakeBench, fault: str) -> None:
    whole = make_bench(name="whole")
    whole.play()
    bench = make_bench()
    grid = bench.grid(grid_that(FAULTS[fault][0], {0, 1, 2}))
    with pytest.raises(AppError) as caught:
        bench.play(grid=grid)
    assert caught.value.code == "FTB551"
    assert FAULTS[fault][1] in caught.value.message
    stopped = bench.ledger[-1]
    assert (stopped["event"], stopped["reason"], stopped["round"]) == ("stopped", "too-few-replies", 1)
    assert [e["partition"] for e in stopped["excluded"]] == whole.ledger[1]["sampled"]
    bench.play(resume=True)
    assert [b["event"] for b in bench.ledger] == [
        "started",
        "stopped",
        "resumed",
        "round",
        "round",
        "round",
        "finished",
    ]
    assert bench.ledger[-1]["adapter"] == whole.ledger[-1]["adapter"]


def test_the_spec_s_minimum_holds(make_bench: MakeBench) -> None:
    changes = {"federation.sampling.fraction": 1.0, "federation.min_replies": 3}
    bench = make_bench(changes)
    with pytest.raises(AppError, match="2 usable replies of 3 sampled, at least 3"):
        bench.play(grid_that(FAULTS["nan"][0], {1}))


def test_a_mean_that_overflows_is_not_committed(make_bench: MakeBench) -> None:
    # One round: whether a client can train on from such a number hangs on the processor's kernels.
    bench = make_bench({"federation.sampling.fraction": 1.0, "federation.rounds": 1})
    bench.play(grid_that(arrays_changed(first_to(3e38)), {0, 1, 2}))
    assert bench.ledger[-1]["event"] == "finished"  # the mean of large numbers is computed in double precision


# --- nodes ---


@pytest.mark.parametrize("nodes", [0, 2, 4])
def test_another_number_of_nodes_is_refused(make_bench: MakeBench, nodes: int) -> None:
    bench = make_bench()
    grid = bench.grid()
    grid.partitions = {1000 + n: n for n in range(nodes)}
    with pytest.raises(AppError, match=f"3 clients, but there are {nodes} SuperNodes") as caught:
        bench.play(grid=grid)
    assert caught.value.code == "FTB545"
    assert not (bench.run_dir / "ledger.jsonl").exists()


def test_a_node_that_came_back_is_counted_once(make_bench: MakeBench) -> None:
    """Flower keeps a node that is gone on its list for a while; the run waits for it to go."""

    class Twice(InlineGrid):
        calls = 0

        def get_node_ids(self) -> list[int]:
            self.calls += 1
            return [*super().get_node_ids(), *([4711] if self.calls < 3 else [])]

    bench = make_bench({"federation.rounds": 1})
    bench.play(Twice)
    assert bench.ledger[-1]["event"] == "finished"


def test_nodes_may_come_late(make_bench: MakeBench) -> None:
    class Slow(InlineGrid):
        calls = 0

        def get_node_ids(self) -> list[int]:
            self.calls += 1
            return super().get_node_ids()[: self.calls]

    bench = make_bench({"federation.rounds": 1})
    bench.play(Slow)
    assert bench.ledger[-1]["event"] == "finished"


@pytest.mark.parametrize("partitions", [[0, 1, 1], [1, 2, 3], [0, 1, -1]])
def test_partitions_must_be_held_once_each(make_bench: MakeBench, partitions: list[int]) -> None:
    bench = make_bench()
    grid = bench.grid()
    grid.partitions = dict(zip((11, 12, 13), partitions, strict=True))
    with pytest.raises(AppError, match="is needed once"):
        bench.play(grid=grid)


def test_node_ids_and_their_order_do_not_matter(make_bench: MakeBench) -> None:
    results = set()
    for name, nodes in (("a", {7: 0, 8: 1, 9: 2}), ("b", {2**60: 2, 5: 1, 2**61: 0})):
        bench = make_bench({"federation.rounds": 2}, name=name)
        grid = bench.grid()
        grid.partitions = nodes
        bench.play(grid=grid)
        results.add((bench.run_dir / "ledger.jsonl").read_bytes())
    assert len(results) == 1


@pytest.mark.parametrize("answer", ["none", "error", "empty"])
def test_a_node_that_does_not_answer_ends_the_run_before_it_begins(make_bench: MakeBench, answer: str) -> None:
    class Mute(InlineGrid):
        def deliver(self, message: Message) -> Message | None:
            reply = super().deliver(message)
            assert reply is not None
            if answer == "none":
                return None
            if answer == "error":
                return Message(Error(code=2, reason="FTB543 other package versions"), reply_to=message)
            del reply.content["metrics"]
            return reply

    bench = make_bench()
    with pytest.raises(AppError) as caught:
        bench.play(Mute)
    assert caught.value.code == ("FTB543" if answer == "error" else "FTB545")
    assert not (bench.run_dir / "ledger.jsonl").exists()


def test_late_and_double_replies_are_not_taken(make_bench: MakeBench) -> None:
    """Replies to messages of other rounds, and second replies, do not disturb the round."""

    class Echo(InlineGrid):
        kept: list[Message] = []

        def pull_messages(self, message_ids: Any) -> list[Message]:
            found = super().pull_messages(message_ids)
            extra = [*self.kept, *found]
            self.kept = [*self.kept, *found]
            return [*found, *extra]

    runs = []
    for name, kind in (("plain", InlineGrid), ("echo", Echo)):
        bench = make_bench({"federation.rounds": 2}, name=name)
        bench.play(kind)
        runs.append((bench.run_dir / "ledger.jsonl").read_bytes())
    assert runs[0] == runs[1]


def test_a_message_that_could_not_be_sent_is_a_missing_reply(make_bench: MakeBench) -> None:
    class Broken(InlineGrid):
        def push_messages(self, messages: Any) -> list[Any]:
            ids: list[Any] = super().push_messages(messages)
            return [*ids[:-1], None] if next(iter(messages)).metadata.message_type == "train" else ids

    bench = make_bench({"federation.rounds": 1, "federation.sampling.fraction": 1.0})
    bench.play(Broken)
    assert [(e["partition"], e["reason"]) for e in bench.ledger[1]["excluded"]] == [(2, "missing")]
