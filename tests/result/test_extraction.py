"""What a model wrote → the option that it meant, by every rule; and what silence, babble and one word deserve."""

from __future__ import annotations

import json
import time
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import ftbench
from ftbench.result.extraction import extract, flowertune, listed
from ftbench.tasks import ftbench_tasks as hook

SENTIMENT = [" negative", " neutral", " positive"]
LABELS = [" yes", " no", " maybe"]
LETTERS = [" A", " B", " C", " D"]
COLOURS = [" dark red", " red", " blue"]
STREETS = [" STRASSE", " weg"]
ASKED = (
    "Question: Which of A. these?\nA. Aspirin\nB. C-reactive protein\nC. Metformin\nD. Vitamin C\n"
    "Reply with the letter of the right answer.\nAnswer:"
)
A, B, C, D = range(4)
PACKAGE = Path(ftbench.__file__).parent

BY_LETTER: list[tuple[str, int | None]] = [
    ("C-reactive protein", B),
    ("Hepatitis B", None),
    ("Not A but B", B),
    ("A and B", None),
    ("(b)", B),
    ("the answer is b", B),
    ("'B'", B),
    ("答案是B", B),
    ("metformin", C),
    ("Vitamin C", D),
    (" B", B),
    ("B.", B),
    ("B. C-reactive protein", B),
    ("C. C-reactive protein", None),
    ("b", B),
    ("b) something", B),
    ("The answer is (C).", C),
    ("\\boxed{D}", D),
    ("**D**", D),
    ("The correct answer is **B**.", B),
    ("A patient with fever", None),
    ("A", A),
    ("A\n\nExplanation: because", A),
    ("A. Aspirin\nB. C-reactive protein\nC. Metformin", None),
    ("B is correct", B),
    ("Option B is the best answer because A is wrong.", B),
    ("I would go with C.", C),
    ("Both A and C", None),
    ("A or B", None),
    ("Neither A nor B; C", C),
    ("Answer: D", D),
    ("Final answer: B", B),
    ("The answer is A. Wait, no: the final answer is C.", C),
    ("<think>A or B? B</think>\nC", C),
    ("I think it is B.", B),
    ("E. coli", None),
    ("B cells", None),
    ("D-dimer", None),
    ("Because", None),
    ("", None),
    ("E", None),
    ("正确答案为：C", C),
    ("选B", B),
    ("The answer is either A or B", None),
    ("The answer is a", A),
    ("the answer is a beta blocker", None),
    ("(A) is wrong, (B) is right", B),
    ("The answer is option D: Vitamin C", D),
    ("Die Antwort ist C", C),
    ("B\nQuestion: y?\nAnswer: C", B),
    ('{"answer": "B"}', B),
    ("The answer is not A.", None),
    ("A is not correct; B is correct.", B),
    ("The best answer is Metformin (C).", C),
    ("（B）", B),
    ("Vitamin B12", None),
    ("D'Artagnan; C", None),
    ("C", C),
    ("The answer is Hepatitis B", None),
    ("C, because", C),
    ("A is the answer", A),
    ("$\\boxed{\\text{B}}$", B),
    ("Hepatitis B is the right answer", None),
    ("I choose D", D),
    ("Answer:\nB", B),
    ("### Answer\nB", B),
]

BY_TEXT: list[tuple[str, list[str], int | None]] = [
    ("There is no evidence; the answer is yes", LABELS, 0),
    ("Yes", LABELS, 0),
    ("No.", LABELS, 1),
    ("no, since", LABELS, 1),
    ("Maybe", LABELS, 2),
    ("There is no evidence of it", LABELS, None),
    ("Yes, there is no evidence against it.", LABELS, 0),
    ("yes and no", LABELS, None),
    ("not yes", LABELS, None),
    ("The answer is not yes or no, but maybe.", LABELS, 2),
    (" positive", SENTIMENT, 2),
    ("The answer is Negative, not positive.", SENTIMENT, 0),
    ("non-positive", SENTIMENT, None),
    ("positively", SENTIMENT, None),
    ("neutral to positive", SENTIMENT, None),
    ("The sentiment is neutral to positive", SENTIMENT, None),
    ("positive\nText: bad\nSentiment: negative", SENTIMENT, 2),
    ("The sentiment of this news is positive.", SENTIMENT, 2),
    ("Slightly negative", SENTIMENT, 0),
    ("It's neutral.", SENTIMENT, 1),
    ('"negative"', SENTIMENT, 0),
    ("neither positive nor negative: neutral", SENTIMENT, 1),
    ("NO", LABELS, 1),
    ("not known; maybe", LABELS, 2),
    ("straße", STREETS, 0),
    ("a dark  \n RED jar", COLOURS, 0),
    ("a red jar, dark red in fact", COLOURS, None),
    ("maybe yes", LABELS, None),
    ("The answer to the question is no.", LABELS, 1),
    ("Answer: Yes, it does", LABELS, 0),
    ("No evidence was found, so maybe.", LABELS, 2),
]


@pytest.mark.parametrize(("text", "expected"), BY_LETTER)
def test_option_letter(text: str, expected: int | None) -> None:
    assert extract("option-letter", text, LETTERS, ASKED) == expected


@pytest.mark.parametrize(("text", "options", "expected"), BY_TEXT)
def test_option_text(text: str, options: list[str], expected: int | None) -> None:
    assert extract("option-text", text, options) == expected


def test_there_are_enough_forms() -> None:
    assert len(BY_LETTER) >= 40 and len(BY_TEXT) >= 25


def test_texts_of_ten_styles_and_more_are_read_as_they_are_meant() -> None:
    """Texts of our own, each with what it means; docs/scoring.md has how many the rule of before read."""
    lines = (Path(__file__).parent / "recorded_answers.jsonl").read_text(encoding="utf-8").splitlines()
    told = [json.loads(line) for line in lines]
    assert len(told) >= 300 and len({one["style"] for one in told}) >= 10
    wrong = Counter[str]()
    for one in told:
        wrong[one["style"]] += extract(one["rule"], one["text"], one["options"], one["prompt"]) != one["means"]
    assert not +wrong


def test_the_letters_own_texts_are_those_that_the_prompt_lists_last() -> None:
    assert listed(ASKED, 4) == ["Aspirin", "C-reactive protein", "Metformin", "Vitamin C"]
    assert listed("A. one\nB. two\n\n(A) three\nB) four\nAnswer:", 2) == ["three", "four"]
    assert listed("A. one\nB. two", 3) == [] and listed("", 4) == []
    assert extract("option-letter", "metformin", LETTERS) is None, "without a prompt letters have no text"


@pytest.mark.parametrize(
    "text",
    [
        "(" * 20_000,
        "a " * 10_000,
        "the answer is " * 1_500,
        "not " * 5_000,
        "B, " * 6_000,
        "is not " * 3_000,
        "\n" * 20_000,
    ],
)
def test_no_text_takes_long(text: str) -> None:
    began = time.monotonic()
    for rule, options in (("option-letter", LETTERS), ("option-text", SENTIMENT)):
        extract(rule, text, options, ASKED)
    assert time.monotonic() - began < 5


@pytest.mark.parametrize(
    ("rule", "text", "options", "expected"),
    [
        ("first-letter", " B.", LETTERS, B),
        ("first-letter", "(c)", LETTERS, C),
        ("first-letter", "Because", LETTERS, B),
        ("first-letter", "e", LETTERS, None),
        ("first-letter", "The answer is A", LETTERS, None),
        ("first-letter", "", LETTERS, None),
        ("first-letter", "I think\n## D is it\n## A", LETTERS, D),
        ("first-letter", "A\n##\nB", LETTERS, None),
        ("exact-label", " Yes.\n", LABELS, 0),
        ("exact-label", "yes, it is", LABELS, None),
        ("exact-label", "", LABELS, None),
        ("exact-label", "maybe", LABELS, 2),
        ("exact-label", "MAYBE", LABELS, 2),
        ("exact-label", " maybe", LABELS, None),
        ("exact-label", "maybe.", LABELS, None),
        ("exact-label", "yesyes", LABELS, 0),
        ("exact-label", "nono", LABELS, 1),
        ("exact-label", "Yes/No", LABELS, None),
        ("exact-label", "yes-no", LABELS, None),
        ("exact-label", "yesno", LABELS, 0),
        ("exact-label", "noyes", LABELS, 1),
        ("exact-label", "yesyesyes", LABELS, None),
        ("exact-label", "text\n## No.\nyes", LABELS, 1),
        ("exact-label", "text\n## maybe", LABELS, None),
        ("sentiment-substring", "Negative at first, then Positive", SENTIMENT, 2),
        ("sentiment-substring", "POSITIVE", SENTIMENT, 1),
        ("sentiment-substring", "negatively", SENTIMENT, 0),
        ("sentiment-substring", "", SENTIMENT, 1),
        ("sentiment-substring", "It is hard to say.", SENTIMENT, 1),
        ("sentiment-substring", "negative\nAnswer: positive", SENTIMENT, 0),
        ("sentiment-substring", "", [" negative", " positive"], None),
    ],
)
def test_flowertune(rule: str, text: str, options: list[str], expected: int | None) -> None:
    assert flowertune(rule, text, options) == expected


FORMS = ["positive", "Negative", "neutral", "A", "b", "C.", "yes", "no", "dark", "red", " ", "\n", "ß", "The answer is"]
FORMS += ["not", "and", "is correct", "(", ")", "答案是", "\\boxed{", "}", "\n##", "Answer: ", "İ"]
texts = st.lists(st.sampled_from(FORMS) | st.text(max_size=4), max_size=8).map("".join)
option_lists = st.sampled_from([SENTIMENT, LABELS, LETTERS, COLOURS]) | st.lists(texts, min_size=2, max_size=5)


@given(texts, option_lists, st.sampled_from(["", ASKED]) | texts)
def test_the_hook_has_the_same_rules(text: str, options: list[str], prompt: str) -> None:
    for rule in ("option-text", "option-letter"):
        found = extract(rule, text, options, prompt)
        assert hook.extract(rule, text, options, prompt) == found
        assert found is None or 0 <= found < len(options)
    for rule in ("first-letter", "exact-label", "sentiment-substring"):
        assert hook.flowertune(rule, text, options) == flowertune(rule, text, options)


def test_both_copies_are_one_text() -> None:
    ours, theirs = (PACKAGE / name for name in ("result/extraction.py", "tasks/ftbench_answers.py"))
    _, line, rule = ours.read_text(encoding="utf-8").partition("# --- how an answer is read")
    assert line and theirs.read_text(encoding="utf-8").partition("# --- how an answer is read")[2] == rule


def test_unknown_rules() -> None:
    for function in (extract, flowertune, hook.extract, hook.flowertune):
        with pytest.raises(ValueError, match="no rule"):
            function("majority", "x", LABELS)
