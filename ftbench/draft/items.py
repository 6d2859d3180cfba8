"""Test sets whose items have options of their own, one column an option; and files that hold no choices at all.

Options of an item are told apart by texts (the answer is one of the item's own texts) or by marks (the answer is a
letter or number, and the prompt lists the options behind theirs).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ftbench import codes
from ftbench.diagnostics import Diagnostic
from ftbench.draft.files import Given
from ftbench.errors import InvalidInput

OPTION = re.compile(
    r"(option|choice|opt|op|alternative|candidate|ending|solution|sol)?[ _-]?([a-h]|[0-9])", re.IGNORECASE
)
"""Name of a column that holds one option: a word, and the option's letter or number; a letter may stand alone."""
LISTED = re.compile(r"(answer_?)?(options|choices|candidates|alternatives|endings|answers)", re.IGNORECASE)
"""Name of a column that holds all options of an item."""
PROGRAMS = re.compile(
    r"entry_?point|(unit_?|doc|challenge_)?tests?(_list|_code|_setup_code|_imports)?|(canonical|reference)_solution"
    r"|stop_tokens|code",
    re.IGNORECASE,
)
"""Names of columns that a programming problem has two of."""
PAIRS = {"chosen", "rejected"}
EXAMPLE = "docs/specs.md, `What new does not draft`, has one to copy"


@dataclass(frozen=True, slots=True)
class Own:
    """Options that stand in the items."""

    columns: list[str]
    """One an option, in order."""
    marks: list[str]
    """The letter or number of each, as answers give it; empty where answers are the options' own texts."""


def other_kinds(train: Given, test: Given) -> None:
    """Raise InvalidInput (FTB319) for programs, pairs of answers, and options in lists."""
    programs = [name for name in test.columns if PROGRAMS.fullmatch(name)]
    if len(programs) > 1:
        message = f"{test.name} holds programming problems, by its columns {listed(programs)}; `new` drafts choices"
        raise refused(message, f"write a task of `kind: code`: {EXAMPLE}")
    if set(train.columns) >= PAIRS:
        message = f"{train.name} holds pairs of answers, by its columns `chosen` and `rejected`; `new` drafts choices"
        raise refused(message, f"write `objective: {{kind: dpo}}` and what it takes: {EXAMPLE}")
    for name in filter(LISTED.fullmatch, test.columns):
        if any(isinstance(value, list | dict) for value in test.values(name)):
            message = f"`{name}` of {test.name} holds all options of an item, and a column of a source holds one text"
            hint = (
                "write one column an option: `option_a`, `option_b` …, and `answer` as one's letter or text; published "
            )
            raise refused(
                message, hint + "layouts have a step for it, such as `normalise: mmlu`: ftbench list normalisers"
            )


def columns(given: Given) -> list[str]:
    """The option columns of the items, in order: one word with letters or numbers in a row."""
    found: dict[str, dict[int, str]] = {}
    for name in given.columns:
        match = OPTION.fullmatch(name)
        if match is None or (match[1] is None and not match[2].isalpha()):
            continue  # a number alone is a name for anything
        kind = "letter" if match[2].isalpha() else "number"
        place = ord(match[2].lower()) - ord("a") if kind == "letter" else int(match[2])
        found.setdefault(f"{(match[1] or '').lower()} {kind}", {})[place] = name
    for word, places in found.items():
        first, fewest = min(places), 3 if word.startswith(" ") else 2  # `a` and `b` may be two texts to compare
        if (
            len(places) >= fewest
            and first <= word.endswith("number")
            and set(places) == set(range(first, first + len(places)))
        ):
            return [places[one] for one in sorted(places)]
    return []


def own(train: Given, test: Given, answer: str, names: list[str]) -> Own:
    """How the options of the items in `names` are told apart by `answer`.

    Raises InvalidInput (FTB319) for an item that lacks one, and for answers that are neither marks nor texts of them.
    """
    row = f"(from 0) of {test.name}"
    for number, item in enumerate(test.rows):
        if lacking := [one for one in names if not isinstance(item.get(one), str) or not item[one].strip()]:
            message = f"row {number} {row} has no text in {listed(lacking)}"
            raise refused(message, "all items of a task have as many options; others make a test of their own")
    marks = _marks([str(value).strip() for value in test.values(answer)], len(names), answer, test.name)
    if not marks:
        for number, item in enumerate(test.rows):
            if [item[one].strip() for one in names].count(str(item.get(answer)).strip()) != 1:
                message = f"row {number} {row}: `{answer}` is {item.get(answer)!r}, neither the text of just one of "
                message += f"{listed(names)}, nor the letter or number of one"
                raise refused(message, "an answer is an option's text, or its letter or number, in every row alike")
    elif lacking := [one for one in names if one not in train.columns]:
        message = f"answers of {test.name} are letters or numbers of options, and {train.name} has no {listed(lacking)}"
        hint = "train on the same kind of rows, or write each answer's text into the test, as the training rows do"
        raise refused(message, hint)
    return Own(names, marks)


def _marks(values: list[str], count: int, answer: str, file: str) -> list[str]:
    """The marks among which all values are; none where they are no marks."""
    letters = "ABCDEFGHIJ"[:count]
    for one in (list(letters), list(letters.lower())):
        if set(values) <= set(one):
            return one
    zero, first = [str(n) for n in range(count)], [str(n + 1) for n in range(count)]
    fits = [one for one in (zero, first) if set(values) <= set(one)]
    if len(fits) > 1:
        message = (
            f"whether `{answer}` of {file} counts options from 0 or from 1 cannot be told: it is never 0 nor {count}"
        )
        raise refused(message, "write letters: A, B …")
    return fits[0] if fits else []


def best_constant(test: Given, answer: str, found: Own) -> tuple[str, float]:
    """The place that is right most often, in words, and its share of the items."""
    places = [_place(row, answer, found) for row in test.rows]
    best = max(range(len(found.columns)), key=places.count)
    told = f"always choosing {found.marks[best] if found.marks else f'`{found.columns[best]}`'}"
    return told, places.count(best) / len(places)


def _place(row: dict[str, Any], answer: str, found: Own) -> int:
    value = str(row[answer]).strip()
    texts = found.marks or [str(row[one]).strip() for one in found.columns]
    return texts.index(value)


def listed(words: Sequence[str]) -> str:
    """Names as a message has them."""
    return ", ".join(f"`{word}`" for word in words)


def refused(message: str, hint: str) -> InvalidInput:
    """That no spec can be drafted, and what to do."""
    return InvalidInput(Diagnostic(codes.NO_DRAFT, message, hint=hint))
