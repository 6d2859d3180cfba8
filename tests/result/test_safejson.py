from __future__ import annotations

import json
import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftbench.errors import InvalidInput
from ftbench.result import safejson
from ftbench.result.documents import Cost, Manifest


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (b'{"a": NaN}', "NaN"),
        (b'{"a": -Infinity}', "-Infinity"),
        (b'{"a": 1e400}', "too large"),
        (b'{"a": [-1E+400 ]}', "too large"),
        (b'{"a": 2.5e0400}', "too large"),
        (b"1e999", "too large"),
        (b'{"a": ' + b"9" * 400 + b".5}", "too large"),
        (b'{"a": 1' + b"0" * 198 + b"." + b"0" * 200 + b"e200}", "too large"),
        (b'{"a": 9007199254740992}', "2^53"),
        (b'{"a": ' + b"9" * 5000 + b"}", "2^53"),
        (b'{"a": 1, "a": 2}', "twice"),
        (b'{"a": {"b": 1, "b": 1}}', "twice"),
        (b'{"a": "\\ud800"}', "surrogate"),
        (b'{"\\udfff": 1}', "surrogate"),
        (b'\xef\xbb\xbf{"a": 1}', "BOM"),
        (b'{"a": "\xff"}', "UTF-8"),
        (b'{"a": 1,}', "JSON"),
        (b"", "JSON"),
        (b"{} {}", "JSON"),
        (b"[" * 100_000 + b"]" * 100_000, "nested"),
        (b'{"a":' * 40 + b"1" + b"}" * 40, "nested"),
    ],
)
def test_refused(text: bytes, told: str) -> None:
    with pytest.raises(InvalidInput, match=re.escape(told)) as caught:
        safejson.parse(text, "result.json")
    assert caught.value.diagnostics[0].code == "FTB601"
    assert caught.value.diagnostics[0].place.file == "result.json"


def test_too_large() -> None:
    with pytest.raises(InvalidInput, match="at most 10"):
        safejson.parse(b'{"abcdefgh": 1}', "x", max_bytes=10)


def test_schema_speaks_before_the_model() -> None:
    """Every problem, with its path in the document."""
    value = {"format": "ftbench/manifest/v1", "files": {"a": {"size": -1, "sha256": "XY"}, "b": {"size": 1}}, "more": 1}
    with pytest.raises(InvalidInput) as caught:
        safejson.parse_model(json.dumps(value).encode(), Manifest, "manifest.json")
    told = [diagnostic.message for diagnostic in caught.value.diagnostics]
    assert {diagnostic.code for diagnostic in caught.value.diagnostics} == {"FTB602"}
    assert any(text.startswith("$.files.a.size: ") for text in told)
    assert any(text.startswith("$.files.a.sha256: ") for text in told)
    assert any(text.startswith("$.files.b: ") for text in told)
    assert any("more" in text for text in told)


def test_what_the_schema_lets_pass_the_model_still_refuses() -> None:
    """JSON Schema takes 1.0 for a whole number, and its `$` matches before a last newline."""
    good = dict.fromkeys(("bytes_down", "bytes_up", "trainable_parameters", "rounds"), 1)
    rest = {"train_seconds": None, "evaluate_seconds": 1, "peak_memory_bytes": None}
    assert safejson.to_model({**good, **rest}, Cost, "x").rounds == 1
    with pytest.raises(InvalidInput):
        safejson.to_model({**good, **rest, "rounds": 1.0}, Cost, "x")
    with pytest.raises(InvalidInput):
        files = {"a": {"size": 1, "sha256": "a" * 64 + "\n"}}
        safejson.to_model({"format": "ftbench/manifest/v1", "files": files}, Manifest, "x")


@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "replace")))
def test_any_bytes(data: bytes) -> None:
    try:
        safejson.parse_model(data, Manifest, "x")
    except InvalidInput as error:
        assert error.diagnostics


LEAVES = st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
VALUES = st.recursive(LEAVES, lambda value: st.lists(value) | st.dictionaries(st.text(), value), max_leaves=10)


@given(VALUES)
def test_any_value(value: object) -> None:
    assert safejson.parse(json.dumps(value).encode(), "x") == value


@pytest.mark.parametrize(
    "text", ["1e400", "[1E400]", "[1.0e+308, 2e308]", "1e308", '"1e400"', '{"1e400,":1e3}', "3e-400"]
)
@given(before=st.text("0123456789.eE+-,]} ", max_size=6))
def test_no_number_that_overflows_is_read(text: str, before: str) -> None:
    data = f'["{before}",{text}]'.encode()
    try:
        value = safejson.parse(data, "x")
    except InvalidInput:
        value = None
    plain = json.loads(data)
    assert value == (None if math.inf in (plain[1] if isinstance(plain[1], list) else [plain[1]]) else plain)
