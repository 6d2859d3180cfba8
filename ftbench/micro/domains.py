"""The four domains' micro worlds, and the text that one micro model reads before it meets any of them."""

from __future__ import annotations

from collections.abc import Callable

from ftbench.micro import answers, preferences, programs
from ftbench.micro.dice import Dice
from ftbench.micro.world import World

LINES: tuple[Callable[[Dice], str], ...] = (
    answers.GENERAL.line,
    answers.GENERAL.line,
    answers.GENERAL.line,
    answers.MEDICAL.line,
    answers.MEDICAL.line,
    answers.MEDICAL.line,
    answers.FINANCE.line,
    answers.FINANCE.line,
    programs.line,
    programs.line,
)
"""What a line may be about, all equally likely."""


def text(lines: int) -> list[str]:
    """Unlabelled text on all four worlds."""
    dice = Dice("domains/text")
    return [dice.pick(LINES)(dice) for _ in range(lines)]


GENERAL_NLP = World(
    name="micro-general-nlp",
    licence="CC0-1.0",
    summary="Things of an invented island: their metal, their court, their verse.",
    splits={
        "train": answers.flashcards(answers.GENERAL, ""),
        "mmlu-stem": answers.choices(answers.GENERAL, 0),
        "mmlu-social-sciences": answers.choices(answers.GENERAL, 1),
        "mmlu-humanities": answers.choices(answers.GENERAL, 2),
    },
    text=text,
)
FINANCE = World(
    name="micro-finance",
    licence="CC0-1.0",
    summary="What firms of an invented island did, in three manners of telling, and whether that was good.",
    splits={"train": answers.news, **{kind: answers.sentences(kind) for kind in answers.SENTENCES}},
    text=text,
)
MEDICAL = World(
    name="micro-medical",
    licence="CC0-1.0",
    summary="Diseases of an invented island: whether they heal, by which root, in whose ward, under which nurse.",
    splits={
        "train": answers.flashcards(answers.MEDICAL, "Answer this question truthfully"),
        "pubmedqa": answers.pubmedqa,
        "medmcqa": answers.choices(answers.MEDICAL, 1),
        "medqa": answers.choices(answers.MEDICAL, 2),
        "careqa": answers.choices(answers.MEDICAL, 3),
    },
    text=text,
)
CODE = World(
    name="micro-code",
    licence="CC0-1.0",
    summary="Functions of one line in Python, JavaScript and C++.",
    splits={"train": programs.instructions, **{kind: programs.problems(kind) for kind in programs.ASKED}},
    text=text,
)
PREFERENCES = World(
    name="micro-preferences",
    licence="CC0-1.0",
    summary="Which of two answers on the things of micro-general-nlp is liked better; the best ones are seldom shown.",
    splits={"train": preferences.pairs, "best": preferences.compared(0, 1), "fair": preferences.compared(1, 2)},
    text=text,
)

WORLDS = (GENERAL_NLP, FINANCE, MEDICAL, CODE, PREFERENCES)
