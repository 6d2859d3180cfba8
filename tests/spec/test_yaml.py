from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftbench.errors import InvalidInput
from ftbench.spec import yaml
from ftbench.spec.emit import emit


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("5e-5", 5e-5),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("1.", 1.0),
        ("yes", "yes"),
        ("on", "on"),
        ("NO", "NO"),
        ("010", 10),
        ("-010", -10),
        ("0o10", 8),
        ("0x1F", 31),
        ("0b1", "0b1"),
        ("1_000", "1_000"),
        ("1:30", "1:30"),
        ("2001-01-01", "2001-01-01"),
        ("~", None),
        ("", None),
        ("Null", None),
        ("TRUE", True),
        ("tRUE", "tRUE"),
        ("'5'", "5"),
        ("=", "="),
        ("9007199254740991", 2**53 - 1),
        ("-0", 0),
        ("e5", "e5"),
        (".", "."),
        ("NaN", "NaN"),
    ],
)
def test_core_schema(text: str, value: Any) -> None:
    read = yaml.read_text(f"- {text}\n", "t").value[0]
    assert read == value
    assert type(read) is type(value)


@pytest.mark.parametrize(
    "text", [".inf", "-.INF", ".nan", "1e400", "9007199254740992", "-9007199254740992", "0x" + "f" * 99, "1" * 9999]
)
def test_numbers_that_cannot_be_kept_are_refused(text: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        yaml.read_text(f"a:\n  - {text}\n", "t")
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.code == "FTB109" and diagnostic.place
    assert (diagnostic.place.line, diagnostic.place.column) == (2, 5)


def test_places_of_keys_and_values() -> None:
    document = yaml.read_text("a:\n  b: 1\n  'c d':   [2,\n    3]\n", "t")
    assert str(document.place(("a", "b"))) == "t:2:6"
    assert str(document.place(("a", "b"), key=True)) == "t:2:3"
    assert str(document.place(("a", "c d", 1))) == "t:4:5"
    assert document.place(("a", "c d", 1)).source == "    3]"
    assert str(document.place(("a", "nothing", "here"))) == "t:1:1", "the block around it"


def test_a_repeated_key_names_both_lines() -> None:
    with pytest.raises(InvalidInput, match="first in line 1, again in line 3"):
        yaml.read_text("a: 1\nb: 2\na: 3\n", "t")


def test_problems_are_collected_and_reading_goes_on() -> None:
    document = yaml.parse(b"a: .inf\nb: *x\nc: 1\nc: 2\nd: 3\n", "t")
    assert document.value == {"a": None, "b": None, "c": 1, "d": 3}
    assert [d.code for d in document.problems] == ["FTB109", "FTB108", "FTB104"]
    assert document.broken == {("a",), ("b",)}


def test_carriage_returns_and_byte_order_mark_change_nothing() -> None:
    plain = yaml.read_text("a: 1\nb: [x, y]\n", "t")
    windows = yaml.parse(b"\xef\xbb\xbfa: 1\r\nb: [x, y]\r\n", "t")
    assert plain.value == windows.value
    assert plain.place(("b", 1)) == windows.place(("b", 1))


def test_a_line_too_long_for_a_screen_is_not_shown() -> None:
    document = yaml.read_text("a: " + "x" * 500, "t")
    assert document.place(("a",)).source is None


def test_size_limits(tmp_path: Path) -> None:
    path = tmp_path / "big.yaml"
    path.write_bytes(b"#" * (yaml.MAX_BYTES + 1))
    with pytest.raises(InvalidInput, match="FTB110"):
        yaml.read(path)
    with pytest.raises(InvalidInput, match="more than 50000 keys"):
        yaml.read_text("- a\n" * 60_000, "t")
    with pytest.raises(InvalidInput, match="nested more than"):
        yaml.read_text("[" * 100_000, "t")


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    for path, why in ((tmp_path, "is a folder"), (tmp_path / "none.yaml", "does not exist")):
        with pytest.raises(InvalidInput, match=why):
            yaml.read(path)


_TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=30)
_SCALAR = (
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | _TEXT
    | st.sampled_from(["yes", "1e5", "010", "null", "0o7", "a: b", "#x", "- x", "\u2028", "{", "a\nb", "\t", "é", "😀"])
)
_TREE = st.recursive(_SCALAR, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXT, inner, max_size=3))


@given(st.dictionaries(_TEXT, _TREE, max_size=4))
def test_what_is_written_reads_back_the_same(value: dict[str, Any]) -> None:
    data = emit(value)
    assert yaml.parse(data, "t").value == value
    assert not yaml.parse(data, "t").problems
    assert emit(value) == data


def test_what_json_does_not_have_is_not_written() -> None:
    with pytest.raises(TypeError):
        emit({"a": object()})
