"""Rows become token ids: boundaries, special tokens, the over-length rule, templates."""

from __future__ import annotations

from typing import Any

import pytest
from fake_tokenizer import FakeTokenizer
from hypothesis import given
from hypothesis import strategies as st

from ftbench.app import tokens
from ftbench.app.errors import AppError
from ftbench.app.tokens import IGNORED, Example, encode, encode_all, render


class Characters(FakeTokenizer):
    """One id a character, but "ab" is one token: joined texts merge where parts do not."""

    def ids(self, text: str) -> list[int]:
        return [ord(c) for c in text.replace("ab", "\u00e4")]

    def letter(self, number: int) -> str:
        return "ab" if number == 0xE4 else chr(number)


def data(**changes: Any) -> dict[str, Any]:
    block = {"prompt": "{q}", "completion": "{a}", "chat_template": "none", "bos": True, "eos": True}
    block["over_length"] = "drop"
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
    assert isinstance(example, Example)
    assert example.ids == [1] * bos + [ord("x"), ord("y")] + [2] * eos
    assert example.labels == [IGNORED] * (bos + 1) + [ord("y")] + [2] * eos


def test_a_model_without_bos_has_none_to_begin_with() -> None:
    tokenizer = Characters()
    tokenizer.bos_token_id = None
    example = encode({"q": "x", "a": "y"}, data(), 10, tokenizer)
    assert isinstance(example, Example) and example.ids == [ord("x"), ord("y"), 2]


def test_a_missing_special_token_is_an_error() -> None:
    tokenizer = Characters()
    tokenizer.eos_token_id = None
    with pytest.raises(AppError, match="eos_token_id"):
        encode({"q": "x", "a": "y"}, data(), 10, tokenizer)


def test_over_length_rows_are_dropped_or_cut() -> None:
    row = {"q": "xyz", "a": "uvw"}
    assert isinstance(encode(row, data(), 8, Characters()), Example)
    assert encode(row, data(), 7, Characters()) == "longer than training.sequence_length"
    cut = encode(row, data(over_length="truncate"), 6, Characters())
    assert isinstance(cut, Example)
    assert cut.ids == [1, *map(ord, "yzuvw")]
    assert cut.labels == [IGNORED] * 3 + [ord("u"), ord("v"), ord("w")]


@pytest.mark.parametrize(
    ("prompt", "answer", "length", "ids"),
    [
        ("stuvwxyz", "a", 6, [1, "x", "y", "z", "a", 2]),  # a long prompt loses its beginning, BOS stays
        (
            "xyz",
            "cdefgh",
            8,
            [1, "x", "y", "z", "c", "d", "e", "f"],
        ),  # half is left to it, and the answer loses its end
        ("wxyz", "cdefgh", 8, [1, "x", "y", "z", "c", "d", "e", "f"]),  # both
        ("x", "cdefgh", 6, [1, "x", "c", "d", "e", "f"]),  # a short prompt stays whole
        ("xyz", "cde", 2, [1, "c"]),
        ("", "cde", 3, [1, "c", "d"]),
    ],
)
def test_a_long_row_is_cut_by_the_stated_rule(prompt: str, answer: str, length: int, ids: list[Any]) -> None:
    example = encode({"q": prompt, "a": answer}, data(over_length="truncate"), length, Characters())
    assert isinstance(example, Example)
    assert example.ids == [ord(one) if isinstance(one, str) else one for one in ids]
    assert example.counted >= 1


@given(st.text("xyz", max_size=40), st.text("cde", min_size=1, max_size=40), st.integers(2, 30), st.booleans())
def test_truncation_leaves_something_to_learn_of_every_row(prompt: str, answer: str, length: int, eos: bool) -> None:
    example = encode({"q": prompt, "a": answer}, data(over_length="truncate", eos=eos), length, Characters())
    assert isinstance(example, Example)
    assert len(example.ids) <= length
    whole = encode({"q": prompt, "a": answer}, data(eos=eos), 10_000, Characters())
    assert isinstance(whole, Example)
    assert len(whole.ids) > length or whole == example


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"q": "x", "a": ""}, "an empty answer"),
        ({"q": "x", "a": " \n"}, "an empty answer"),
        ({"q": "x", "a": None}, "column 'a' is neither text nor a whole number"),
        ({"q": None, "a": "y"}, "column 'q' is neither text nor a whole number"),
        ({"q": "x"}, "column 'a' is neither text nor a whole number"),
    ],
)
def test_a_row_that_teaches_nothing_costs_itself_alone(row: dict[str, Any], reason: str) -> None:
    assert encode(row, data(), 10, Characters()) == reason
    assert encode_all([row, {"q": "x", "a": "y"}], data(), 10, Characters())[0].ids == [1, ord("x"), ord("y"), 2]


def test_the_first_token_is_predicted_from_nothing() -> None:
    assert encode({"q": "", "a": "y"}, data(bos=False, eos=False), 10, Characters()) == tokens.NOTHING
    example = encode({"q": "", "a": "yz"}, data(bos=False, eos=False), 10, Characters())
    assert isinstance(example, Example)
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


# --- the model's own chat template ------------------------------------------------------------------------------------

CHAT = (
    "{{ bos_token }}[{{ messages[0]['role'] }}]{{ messages[0]['content'] }}"
    "{% if add_generation_prompt %}[reply]{% endif %}"
)


@pytest.fixture
def chatting(world: Any) -> Any:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(world.model_folder, local_files_only=True)
    tokenizer.chat_template = CHAT
    return tokenizer


@pytest.mark.parametrize("bos", [False, True])
def test_the_prompt_is_one_user_turn_and_the_completion_the_reply(chatting: Any, bos: bool) -> None:
    """A template that writes BOS gets no second one; prompt and completion are tokenised apart."""
    block = data(prompt="where is {q}", completion="{a}", chat_template="model", bos=bos)
    example = encode({"q": "ana", "a": "north it"}, block, 50, chatting)
    assert isinstance(example, Example)
    learnt = [i for i, label in zip(example.ids, example.labels, strict=True) if label != IGNORED]
    assert chatting.decode(learnt).split() == ["north", "it", "</s>"]
    assert example.ids.count(chatting.bos_token_id) == 1
    head = chatting.encode("<s>[user]where is ana[reply]", add_special_tokens=False)
    assert example.ids[: -len(learnt)] == head


def test_a_template_that_writes_the_date_writes_the_same_one_every_day(chatting: Any) -> None:
    chatting.chat_template = "{{ strftime_now('%d %b %Y') }} {{ messages[0]['content'] }}"
    seen = []
    chatting_encode = chatting.apply_chat_template

    def spy(*arguments: Any, **more: Any) -> Any:
        seen.append(chatting_encode(*arguments, **{**more, "tokenize": False, "sanitize_control_tokens": False}))
        return chatting_encode(*arguments, **more)

    chatting.apply_chat_template = spy
    encode({"q": "x", "a": "ana"}, data(chat_template="model", bos=False), 50, chatting)
    assert seen == ["01 Jan 2025 x"]


def test_a_tokenizer_without_a_chat_template_is_named(chatting: Any) -> None:
    chatting.chat_template = None
    with pytest.raises(AppError, match="chat template"):
        encode({"q": "x", "a": "ana"}, data(chat_template="model"), 50, chatting)
