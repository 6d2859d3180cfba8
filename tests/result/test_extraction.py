"""What a model wrote → the option that it meant, by every rule; and what silence, babble and one word deserve."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftbench.result.extraction import extract, flowertune
from ftbench.tasks import ftbench_tasks as hook

SENTIMENT = [" negative", " neutral", " positive"]
LABELS = [" yes", " no", " maybe"]
LETTERS = [" A", " B", " C", " D"]
COLOURS = [" dark red", " red", " blue"]


@pytest.mark.parametrize(
    ("text", "options", "expected"),
    [
        (" positive", SENTIMENT, 2),
        ("The answer is Negative, not positive.", SENTIMENT, 0),
        ("non-positive", SENTIMENT, 2),
        ("positively", SENTIMENT, None),
        ("", SENTIMENT, None),
        ("I cannot say.", SENTIMENT, None),
        ("a dark  \n RED jar", COLOURS, 0),
        ("a red jar, dark red in fact", COLOURS, 1),
        ("NO", LABELS, 1),
        ("not known; maybe", LABELS, 2),
        ("straße", [" STRASSE", " weg"], 0),
    ],
)
def test_option_text(text: str, options: list[str], expected: int | None) -> None:
    assert extract("option-text", text, options) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (" B", 1),
        ("(C) because", 2),
        ("**D**", 3),
        ("The answer is A.", 0),
        ("Answer: b", None),
        ("E", None),
        ("Because", None),
        ("D'Artagnan; C", 2),
        ("", None),
    ],
)
def test_option_letter(text: str, expected: int | None) -> None:
    assert extract("option-letter", text, LETTERS) == expected


@pytest.mark.parametrize(
    ("rule", "text", "options", "expected"),
    [
        ("first-letter", " B.", LETTERS, 1),
        ("first-letter", "(c)", LETTERS, 2),
        ("first-letter", "Because", LETTERS, 1),
        ("first-letter", "e", LETTERS, None),
        ("first-letter", "The answer is A", LETTERS, None),
        ("first-letter", "", LETTERS, None),
        ("exact-label", " Yes.\n", LABELS, 0),
        ("exact-label", "yes, it is", LABELS, None),
        ("exact-label", "", LABELS, None),
        ("sentiment-substring", "Negative at first, then POSITIVE", SENTIMENT, 2),
        ("sentiment-substring", "negatively", SENTIMENT, 0),
        ("sentiment-substring", "", SENTIMENT, 1),
        ("sentiment-substring", "It is hard to say.", SENTIMENT, 1),
        ("sentiment-substring", "", [" negative", " positive"], None),
    ],
)
def test_flowertune(rule: str, text: str, options: list[str], expected: int | None) -> None:
    assert flowertune(rule, text, options) == expected


words = st.sampled_from(["positive", "Negative", "neutral", "A", "b", "C.", "yes", "no", "dark", "red", " ", "\n", "ß"])
texts = st.lists(words | st.text(max_size=4), max_size=6).map("".join)
option_lists = st.sampled_from([SENTIMENT, LABELS, LETTERS, COLOURS]) | st.lists(texts, min_size=2, max_size=5)


@given(texts, option_lists)
def test_the_hook_has_the_same_rules(text: str, options: list[str]) -> None:
    for rule in ("option-text", "option-letter"):
        assert hook.extract(rule, text, options) == extract(rule, text, options)
    for rule in ("first-letter", "exact-label", "sentiment-substring"):
        assert hook.flowertune(rule, text, options) == flowertune(rule, text, options)


def test_unknown_rules() -> None:
    for function in (extract, flowertune, hook.extract, hook.flowertune):
        with pytest.raises(ValueError, match="no rule"):
            function("majority", "x", LABELS)
