from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftbench.spec import template
from ftbench.spec.template import TemplateError, columns, fill


def test_columns_and_literal_braces() -> None:
    assert columns("{a} {{b}} {c_1}{a}") == ["a", "c_1", "a"]
    assert fill("{a} {{b}} {{{a}}}", {"a": "{x}"}) == "{x} {b} {{x}}"
    assert fill("plain %s $x \\n", {}) == "plain %s $x \\n"


@pytest.mark.parametrize(
    "text", ["{", "}", "{a", "a}", "{}", "{a.b}", "{a!r}", "{a:>3}", "{0}", "{a b}", "{{a}", "{a}}", "{ a}"]
)
def test_nothing_else_is_special(text: str) -> None:
    with pytest.raises(TemplateError):
        columns(text)


def test_a_missing_column_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        fill("{a}", {})


@given(st.text())
def test_any_text_can_be_written_as_a_template(text: str) -> None:
    escaped = text.replace("{", "{{").replace("}", "}}")
    assert columns(escaped) == []
    assert fill(escaped, {}) == text


@given(st.text(max_size=40))
def test_a_template_is_read_or_refused(text: str) -> None:
    try:
        names = columns(text)
    except TemplateError:
        return
    assert all(map(template.is_column, names))
    fill(text, dict.fromkeys(names, "v"))
