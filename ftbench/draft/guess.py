"""What two files are, as far as their names and values tell: the answer, the question, the options, the clients.

Every guess leaves a note with its reason. Nothing is guessed that would be wrong in silence: what cannot be told is
refused with what to say instead.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ftbench.draft import items
from ftbench.draft.files import Given
from ftbench.draft.items import Own, listed, refused
from ftbench.errors import InvalidInput

ANSWERS = (
    *("answer", "label", "output", "completion", "response", "target", "class", "intent", "category", "sentiment"),
    *("correct", "correct_answer", "correct_option", "answer_key", "answerkey", "gold", "solution", "cop"),
)
GROUPS = re.compile(
    r"client|site|hospital|clinic|user|author|bank|company|firm|organi[sz]ation|org|court|school|region|country|branch"
    r"|department|owner|speaker|office|group|shop|store|team|city|station",
    re.IGNORECASE,
)
IDS = re.compile(r"(^|_)(id|uid|uuid|index|idx|nr|no|key|url|date|time|timestamp)$", re.IGNORECASE)
MOST_OPTIONS = 20
"""Most different answers that are taken for options."""
ROWS_EACH = 50
"""Rows a client gets where nothing says whose they are."""


@dataclass(slots=True)
class Guess:
    """What the files are, in their own column names."""

    answer: str
    questions: list[str]
    options: list[str]
    """Texts, in order."""
    index: bool = False
    """Whether the test's answers are places among the options, counted from 0."""
    number: bool = False
    """Whether answers are whole numbers that are read as the options' texts."""
    own: Own | None = None
    """Options that each item has of its own."""
    group: str | None = None
    """Column that says whose a training row is."""
    clients: int = 2
    majority: float = 0.0
    """Share of the most frequent answer of the test."""
    notes: dict[str, str] = field(default_factory=dict)
    """What was guessed → why."""


def guess(train: Given, test: Given, options: Sequence[str]) -> Guess:
    """What the two files are. `options`: as given, none where they are to be found.

    Raises InvalidInput (FTB319) where the files have no column in common, or no answer can be told.
    """
    items.other_kinds(train, test)
    shared = [name for name in test.columns if name in train.columns]
    if len(shared) < 2:
        message = f"{train.name} has the columns {listed(train.columns)}, {test.name} {listed(test.columns)}"
        raise refused(f"{message}: a question and an answer are needed in both", _one_column(train, test))
    notes: dict[str, str] = {}
    ours = [] if options else items.columns(test)
    rest = [name for name in shared if name not in ours]
    answer = _named(rest) if ours else _answer(train, test, shared, options, notes)
    if answer is None:
        message = f"{listed(ours)} are an item's options, and which of {listed(rest)} is the answer cannot be told"
        raise refused(message, "call it `answer`")
    notes.setdefault("answer", "by its name")
    own = _own(train, test, answer, ours, notes) if ours else None
    texts, index = (own.marks or ours, False) if own else _options(train, test, answer, options, notes)
    taken = [answer, *ours]
    group = _group(train, [name for name in train.columns if name not in taken], notes)
    questions = _questions(test, [name for name in shared if name not in (*taken, group)], notes)
    if not questions:
        raise refused(f"beside `{answer}` no column holds a question", "a column of text that both files have is one")
    number = not index and any(isinstance(value, int) for value in [*test.values(answer), *train.values(answer)])
    found = Guess(answer, questions, texts, index, number, own, group, notes=notes)
    _clients(found, train)
    if own is not None:
        told, found.majority = items.best_constant(test, answer, own)
        notes["majority"] = f"{told} is right in {100 * found.majority:.0f} % of the test: a score must beat it"
        return found
    counted = Counter(str(value).strip() for value in test.values(answer))
    most, count = counted.most_common(1)[0]
    found.majority = count / len(test.rows)
    said = texts[int(most)] if index else most
    notes["majority"] = (
        f"always saying {said!r} is right in {100 * found.majority:.0f} % of the test: a score must beat it"
    )
    return found


def _answer(train: Given, test: Given, shared: list[str], options: Sequence[str], notes: dict[str, str]) -> str:
    if options:
        fits = [name for name in shared if _fits(test.values(name), options)]
        if not fits:
            near = _named(shared)
            told = f"; `{near}` has {listed(sorted({str(one) for one in test.values(near)})[:8])}" if near else ""
            if near and any(isinstance(value, bool) for value in test.values(near)):
                raise _no_text(near, test)
            message = f"no column of {test.name} holds the options {listed(options)} and nothing else{told}"
            raise refused(message, "--options takes the answers as they are written in the file, with commas between")
        chosen = _named(fits) or fits[0]
        notes["answer"] = "its values in the test are the options"
        return chosen
    if (named := _named(shared)) is not None:
        notes["answer"] = "by its name"
        return named
    free = [name for name in shared if not GROUPS.search(name) and not IDS.search(name)]
    few = [name for name in free if _few(test.values(name)) and _few(train.values(name))]
    if len(few) == 1:
        notes["answer"] = "the only column with few different values that names nobody"
        return few[0]
    message = f"which of {listed(shared)} is the answer cannot be told"
    raise refused(
        message, f"call it `answer`, or give its values: --options 'A,B'; names that are known: {listed(ANSWERS)}"
    )


def _options(
    train: Given, test: Given, answer: str, options: Sequence[str], notes: dict[str, str]
) -> tuple[list[str], bool]:
    values = _answers(train, test, answer)
    if options:
        index = all(isinstance(value, int) and str(value) not in options for value in values)
        notes["options"] = "as given" + (", and the test's answers are places among them" if index else "")
        texts = list(options)
    else:
        found = Counter(str(value).strip() for value in values)
        if not _few(values):
            message = (
                f"`{answer}` has {len(found)} different values in {test.name}: these are no options to choose from"
            )
            hint = "give them: --options 'yes,no'; or each test item has options of its own, one column an option "
            hint += (
                "(`option_a`, `option_b` …) and `answer` is one of them. Free text has no right answer that a machine "
            )
            raise refused(message, hint + "could tell; in training rows it is welcome")
        whole = all(isinstance(value, int) for value in values)
        texts, index = sorted(found, key=int if whole else str), False
        notes["options"] = f"the {len(texts)} values that `{answer}` has in the test, sorted"
    if len(texts) < 2:
        raise refused(f"there is one option, {texts[0]!r}", "a choice has two or more: --options 'yes,no'")
    learnt = Counter(str(value).strip() for value in train.values(answer))
    other = {value: count for value, count in learnt.items() if value not in texts}
    if index and not (other.keys() & set(texts)) and not any(value in texts for value in learnt):
        message = f"`{answer}` of {train.name} are numbers, and a model learns to write text"
        raise refused(message, "add a column with the answer's text to the training rows")
    if other:
        some = ", ".join(f"{value!r} ({count})" for value, count in list(other.items())[:3])
        notes["training answers"] = f"{sum(other.values())} of {len(train.rows)} are none of the options: {some}"
    padded = [value for value in train.values(answer) if str(value) != str(value).strip()]
    if padded:
        told = f"{len(padded)} of {len(train.rows)}, such as {padded[0]!r}, begin or end in white space"
        notes["white space"] = f"training answers: {told}, which is learnt with them and is in no option"
    return texts, index


def _own(train: Given, test: Given, answer: str, names: list[str], notes: dict[str, str]) -> Own:
    _answers(train, test, answer)
    found = items.own(train, test, answer, names)
    if found.marks:
        notes["options"] = (
            f"each item has its own in {listed(names)}, and `{answer}` says which: {', '.join(found.marks)}"
        )
    else:
        notes["options"] = f"each item has its own in {listed(names)}, and `{answer}` is the text of one"
    if found.marks and (other := {str(value).strip() for value in train.values(answer)} - set(found.marks)):
        message = (
            f"`{answer}` of {train.name} is {listed(sorted(other)[:3])}, which is none of {', '.join(found.marks)}"
        )
        raise refused(message, "training rows and test say an answer alike: by its letter or number, or by its text")
    return found


def _answers(train: Given, test: Given, answer: str) -> list[Any]:
    """The answers of all items. Raises FTB319 where one has none, or where they are truth values."""
    values = test.values(answer)
    if len(values) < len(test.rows):
        message = f"{len(test.rows) - len(values)} rows of {test.name} have no `{answer}`"
        raise refused(message, "every test item needs a right answer; leave the others out")
    for given in (train, test):
        if any(isinstance(value, bool | float) for value in given.values(answer)):
            raise _no_text(answer, given)
    return values


def _no_text(answer: str, given: Given) -> InvalidInput:
    message = f"`{answer}` of {given.name} holds truth values or fractions, which no template can write"
    return refused(message, "write answers as texts, in both files: `yes`, `no`")


def _one_column(train: Given, test: Given) -> str:
    """What to do where the files share fewer than two columns."""
    for given in (train, test):
        for mark, called in ((";", "semicolons"), ("\t", "tabs"), ("|", "bars")):
            if given.format == "csv" and len(given.columns) == 1 and mark in given.columns[0]:
                return f"{given.name} is parted by {called}, as some spreadsheets write it: save it with commas"
    return "rename columns, or write the spec"


def _group(train: Given, columns: list[str], notes: dict[str, str]) -> str | None:
    for name in columns:
        count = len({str(value) for value in train.values(name)})
        if GROUPS.search(name) and len(train.values(name)) == len(train.rows) and 2 <= count <= len(train.rows) // 4:
            notes["clients"] = f"`{name}` says whose a row is, by its name: its {count} values stay together"
            return name
    return None


def _clients(found: Guess, train: Given) -> None:
    if found.group is not None:
        groups = len({str(value) for value in train.values(found.group)})
        found.clients = groups if groups <= 100 else 20
        return
    found.clients = max(2, min(10, len(train.rows) // ROWS_EACH))
    found.notes["clients"] = f"nothing says whose a row is: {len(train.rows)} rows, about {ROWS_EACH} a client, 2 to 10"


def _questions(test: Given, columns: list[str], notes: dict[str, str]) -> list[str]:
    left: dict[str, str] = {}
    kept = []
    for name in columns:
        values = test.values(name)
        if IDS.search(name):
            left[name] = "an identifier by its name"
        elif len(values) < len(test.rows) or not all(isinstance(value, str) and value.strip() for value in values):
            nested = any(isinstance(value, list | dict) for value in values)
            left[name] = "lists or objects, where a column holds texts" if nested else "not a text in every row"
        else:
            kept.append(name)
    notes["prompt"] = "the text columns that both files have, in their order"
    if left:
        notes["left out"] = ", ".join(f"`{name}` ({why})" for name, why in left.items())
    return kept


def _named(columns: Sequence[str]) -> str | None:
    return next((name for wanted in ANSWERS for name in columns if name.lower() == wanted), None)


def _few(values: Sequence[Any]) -> bool:
    """Whether values look like options: few different ones, and each several times on average."""
    kinds = {str(value).strip() for value in values}
    return 2 <= len(kinds) <= MOST_OPTIONS and len(values) >= 3 * len(kinds) and max(map(len, kinds)) <= 60


def _fits(values: Sequence[Any], options: Sequence[str]) -> bool:
    if values and {str(value).strip() for value in values} <= set(options):
        return True
    whole = bool(values) and all(isinstance(value, int) and not isinstance(value, bool) for value in values)
    return whole and set(values) <= set(range(len(options))) and len(set(values)) > 1
