"""The search that tests of the wire rest on: each form of a text is seen, and what holds none is not."""

from __future__ import annotations

import base64
import gzip
import json
import zlib
from collections.abc import Sequence

import numpy
import pytest
from flwr.app import ArrayRecord, ConfigRecord, MetricRecord, RecordDict
from flwr.common.serde import recorddict_to_proto
from leaks import Search

TEXT = "Question: which jar is for noska irul? Answer:"
IDS = [301, 17, 4021, 88, 1999, 12, 640, 7, 33]
NOISE = numpy.random.default_rng(1)


def tokens(_: str) -> Sequence[int]:
    return IDS


def among(data: bytes) -> bytes:
    """Amid much else, at an odd place."""
    return NOISE.bytes(4099) + data + NOISE.bytes(5003)


@pytest.fixture(scope="module")
def search() -> Search:
    return Search([TEXT], tokens)


def records(**found: object) -> bytes:
    return bytes(recorddict_to_proto(RecordDict(found)).SerializeToString())


FORMS = {
    "as it is": TEXT.encode(),
    "a piece of it": TEXT.encode()[27:37],
    "utf-16": TEXT.encode("utf-16-le"),
    "base64": base64.b64encode(TEXT.encode()),
    "base64 of the web, behind other letters": b"token=x" + base64.urlsafe_b64encode(TEXT.encode()),
    "base64 of base64": base64.b64encode(base64.b64encode(TEXT.encode())),
    "hex": TEXT.encode().hex().encode(),
    "deflated": zlib.compress(TEXT.encode()),
    "gzip": gzip.compress(TEXT.encode()),
    "gzip in base64": base64.b64encode(gzip.compress(TEXT.encode())),
    "json of token ids": json.dumps(IDS).encode(),
    "token ids in a column": "\n".join(map(str, IDS)).encode(),
    "config": records(c=ConfigRecord({"x": TEXT})),
    "config of token ids": records(c=ConfigRecord({"x": IDS})),
    "config of characters": records(c=ConfigRecord({"x": list(map(ord, TEXT))})),
    "metrics of characters": records(m=MetricRecord({"x": [float(ord(one)) for one in TEXT]})),
    "metrics of token ids": records(m=MetricRecord({"x": IDS})),
} | {
    f"{kind} in {dtype}": numpy.array(values, dtype=dtype).tobytes()
    for kind, values in (("token ids", IDS), ("characters", [ord(one) for one in TEXT]))
    for dtype in ("<u2", ">u2", "<i4", ">i4", "<i8", "<f4", ">f4", "<f8", ">f8")
}


@pytest.mark.parametrize("form", FORMS)
def test_a_text_is_seen_in_every_form(search: Search, form: str) -> None:
    assert search.found(among(FORMS[form]))


def test_an_array_record_with_a_text_in_its_values_is_seen(search: Search) -> None:
    values = numpy.concatenate([NOISE.normal(size=999), [ord(one) for one in TEXT]]).astype("float32")
    assert search.found(records(a=ArrayRecord([values])))


def test_what_holds_no_text_is_not_seen(search: Search) -> None:
    weights = NOISE.normal(size=200_000).astype("float32")
    small = NOISE.integers(-127, 128, size=200_000).astype("int8")
    said = records(a=ArrayRecord([weights, small]), c=ConfigRecord({"round": 3, "client-state": "0" * 64}))
    for data in (said, bytes(1 << 16), bytes(range(256)) * 99, b"Answer: which question?" * 50, b"1, 2, 3, 4, 5, 6, 7"):
        assert search.found(data) == []
