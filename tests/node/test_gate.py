"""What may leave a site, and what a rogue app tries to send."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy
import pytest
from flwr.app import Array, ArrayRecord, ConfigRecord, Message, MessageType, MetricRecord, RecordDict
from safetensors.numpy import save

from ftbench import codes
from ftbench.app import replies
from ftbench.app.arrays import to_record
from ftbench.node import gate

ROW = "patient Ana Baranova, 61, reports chest pain since Tuesday"
MOST = 1 << 20


@pytest.fixture(autouse=True)
def identity(monkeypatch: pytest.MonkeyPatch) -> None:
    from flwr.supercore.task_identity import TaskIdentity

    for name in ("_run_id", "_node_id", "_task_id"):
        monkeypatch.setattr(TaskIdentity, name, 1)


VALUES = {"a.lora_A": numpy.ones((2, 3), "float32"), "a.lora_B": numpy.ones((3, 2), "float32")}


def packed(values: dict[str, Any], metadata: dict[str, str] | None = None, more: bytes = b"") -> ArrayRecord:
    return ArrayRecord({"safetensors": Array(numpy.frombuffer(save(values, metadata) + more, "uint8"))})


def arrays() -> ArrayRecord:
    return to_record(VALUES)


def asked(kind: str = MessageType.TRAIN) -> Message:
    content = {"adapter": arrays(), "config": ConfigRecord({"round": 1})} if kind == MessageType.TRAIN else {}
    return Message(RecordDict(content), dst_node_id=1, message_type=kind)


def reply() -> RecordDict:
    whole = dict.fromkeys(sorted(gate.METRICS), 1) | {"loss": 0.5}
    return RecordDict(
        {"adapter": arrays(), "metrics": MetricRecord(whole), "config": ConfigRecord({"client-state": "ab" * 32})}
    )


def test_the_gate_knows_the_metrics_that_the_server_asks_for() -> None:
    assert {*replies.METRICS, "loss"} == gate.METRICS


def test_a_reply_may_leave() -> None:
    assert gate.check(asked(), reply(), MOST) is None
    plain = RecordDict({"metrics": MetricRecord({"partition-id": 2})})
    assert gate.check(asked(MessageType.QUERY), plain, MOST) is None


def _text_in_config(found: RecordDict) -> None:
    found["config"]["note"] = ROW


def _text_as_state(found: RecordDict) -> None:
    found["config"]["client-state"] = ROW


def _text_as_numbers(found: RecordDict) -> None:
    found["metrics"]["loss"] = [float(ord(letter)) for letter in ROW]


def _text_as_a_metrics_name(found: RecordDict) -> None:
    found["metrics"][ROW] = 1


def _a_record_more(found: RecordDict) -> None:
    found["extra"] = ConfigRecord({"rows": ROW})


def _metrics_more(found: RecordDict) -> None:
    found["more"] = MetricRecord({"x": 1})


def _bytes_in_config(found: RecordDict) -> None:
    found["config"]["client-state"] = ROW.encode()


def _text_as_an_arrays_name(found: RecordDict) -> None:
    found["adapter"] = packed({**VALUES, ROW: numpy.ones(1, "float32")})


def _text_as_an_array(found: RecordDict) -> None:
    found["adapter"] = packed({**VALUES, "a.lora_A": numpy.frombuffer(ROW.encode(), "uint8")})


def _text_as_metadata(found: RecordDict) -> None:
    found["adapter"] = packed(VALUES, {"note": ROW})


def _text_behind_the_arrays(found: RecordDict) -> None:
    found["adapter"] = packed(VALUES, more=ROW.encode())


def _text_behind_flowers_array(found: RecordDict) -> None:
    whole = arrays()["safetensors"]
    found["adapter"]["safetensors"] = Array(whole.dtype, tuple(whole.shape), whole.stype, whole.data + ROW.encode() * 9)


def _no_arrays(found: RecordDict) -> None:
    found["adapter"]["safetensors"] = Array(numpy.frombuffer(ROW.encode(), "uint8"))


def _an_array_more(found: RecordDict) -> None:
    found["adapter"][ROW] = Array(numpy.ones(1, "float32"))


def _text_as_a_type(found: RecordDict) -> None:
    whole = arrays()["safetensors"]
    found["adapter"]["safetensors"] = Array(whole.dtype, tuple(whole.shape), ROW, whole.data)


def _much(found: RecordDict) -> None:
    found["adapter"] = packed({**VALUES, "a.lora_A": numpy.ones((1024, 1024), "float32")})


@pytest.mark.parametrize(
    "harm",
    [
        _text_in_config,
        _text_as_state,
        _text_as_numbers,
        _text_as_a_metrics_name,
        _a_record_more,
        _metrics_more,
        _bytes_in_config,
        _text_as_an_arrays_name,
        _text_as_an_array,
        _text_as_metadata,
        _text_behind_the_arrays,
        _text_behind_flowers_array,
        _no_arrays,
        _an_array_more,
        _text_as_a_type,
        _much,
    ],
)
def test_what_a_rogue_app_sends_is_held_back_without_a_word_of_it(harm: Callable[[RecordDict], None]) -> None:
    found = reply()
    harm(found)
    held = gate.check(asked(), found, MOST)
    assert held is not None
    assert "Ana" not in held.why and "Tuesday" not in held.why


def test_a_question_is_answered_by_one_number_only() -> None:
    for content in ({"metrics": MetricRecord({"partition-id": 1, "rows": 7})}, {"adapter": arrays()}):
        assert gate.check(asked(MessageType.QUERY), RecordDict(content), MOST) is not None
    assert gate.check(asked(MessageType.EVALUATE), reply(), MOST) is not None


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (f"FTB548 row 7 cannot be turned into tokens: {ROW}", "FTB548 a row cannot be turned into tokens"),
        (f"KeyError: {ROW}", "FTB559"),
        (f"FTB000 {ROW}", "FTB559"),
    ],
)
def test_an_error_leaves_as_a_code_in_its_own_words(said: str, told: str) -> None:
    found = gate.told(said, codes.APP)
    assert found.startswith(told)
    assert "Ana" not in found


def test_what_is_large_is_cut_by_flower() -> None:
    """No request of Flower's connection is large, whatever the array: a message of any size is many small objects."""
    from flwr.supercore.inflatable.inflatable_object import get_all_nested_objects

    message = Message(
        RecordDict({"adapter": ArrayRecord({"w": Array(numpy.random.default_rng(1).random(8 << 20, "float32"))})}),
        dst_node_id=1,
        message_type=MessageType.TRAIN,
    )
    message.metadata.__dict__["_message_id"] = message.object_id
    sizes: list[Any] = [len(one.deflate()) for one in get_all_nested_objects(message).values()]
    assert sum(sizes) > 32 << 20
    assert max(sizes) < 6 << 20
