"""Rows become token ids: boundaries, special tokens, the over-length rule, templates."""

from __future__ import annotations

from typing import Any

import pytest

from ftbench.app.errors import AppError
from ftbench.app.tokens import IGNORED, Example, encode, encode_all, render


class Characters:
    """One id a character, but "ab" is one token: joined texts merge where parts do not."""

    bos_token_id: int | None = 1
    eos_token_id: int | None = 2

    def encode(self, text: str, add_special_tokens: bool) -> list[int]:
        assert not add_special_tokens
        return [ord(c) for c in text.replace("ab", "\u00e4")]


def data(**changes: Any) -> dict[str, Any]:
    block = {"prompt": "{q}", "completion": "{a}", "bos": True, "eos": True, "over_length": "drop"}
    return {**block, **changes}


def test_prompt_and_completion_are_tokenised_apart() -> None:
    example = encode({"q": "xa", "a": "by"}, data(), 10, Characters())
    assert example == Example(
        [1, ord("x"), ord("a"), ord("b"), ord("y"), 2], [IGNORED, IGNORED, IGNORED, ord("b"), ord("y"), 2]
    )
    assert example.counted == 3


@pytest.mark.parametrize(("bos", "eos"), [(False, True), (True, False), (False, False)])
def test_special_tokens_only_where_asked(bos: bool, eos: bool) -> None:
    example = encode({"q": "x", "a": "y"}, data(bos=bos, eos=eos), 10, Characters())
    assert example is not None
    assert example.ids == [1] * bos + [ord("x"), ord("y")] + [2] * eos
    assert example.labels == [IGNORED] * (bos + 1) + [ord("y")] + [2] * eos


def test_a_missing_special_token_is_an_error() -> None:
    tokenizer = Characters()
    tokenizer.bos_token_id = None
    with pytest.raises(AppError, match="bos_token_id"):
        encode({"q": "x", "a": "y"}, data(), 10, tokenizer)


def test_over_length_rows_are_dropped_or_cut() -> None:
    row = {"q": "xyz", "a": "uvw"}
    assert encode(row, data(), 8, Characters()) is not None
    assert encode(row, data(), 7, Characters()) is None
    cut = encode(row, data(over_length="truncate"), 6, Characters())
    assert cut is not None
    assert cut.ids == [1, *map(ord, "xyzuv")]
    assert cut.labels == [IGNORED] * 4 + [ord("u"), ord("v")]
    # Nothing left to learn: the row would divide by zero.
    assert encode(row, data(over_length="truncate"), 4, Characters()) is None


def test_the_first_token_is_predicted_from_nothing() -> None:
    assert encode({"q": "", "a": "y"}, data(bos=False, eos=False), 10, Characters()) is None
    example = encode({"q": "", "a": "yz"}, data(bos=False, eos=False), 10, Characters())
    assert example is not None
    assert example.counted == 1


def test_rows_keep_their_order() -> None:
    rows = [{"q": "x", "a": "y"}, {"q": "far too long", "a": "y"}, {"q": "z", "a": "y"}]
    assert [example.ids[1] for example in encode_all(rows, data(), 6, Characters())] == [ord("x"), ord("z")]


def test_templates() -> None:
    row = {"a": "{b} {{", "n": 7}
    assert render("{{{a}}} {n}", row) == "{{b} {{} 7"
    assert render("plain", row) == "plain"


@pytest.mark.parametrize("template", ["{", "}", "{a", "{missing}", "{0}", "{a!r}", "{a.b}", "{}"])
def test_templates_know_nothing_else(template: str) -> None:
    with pytest.raises(AppError):
        render(template, {"a": "x"})


@pytest.mark.parametrize("value", [None, True, 1.5, ["x"], {"x": 1}])
def test_values_without_one_spelling_are_refused(value: Any) -> None:
    with pytest.raises(AppError, match="column 'a'"):
        render("{a}", {"a": value})
