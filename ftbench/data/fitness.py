"""What rows and the spec's templates make of one another, as far as no tokenizer is needed: every template filled for
every row, every item's answer held against its options.

A row is numbered from 0 among the rows of its source as they are in the store, after `normalise` and `subset`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ftbench import codes
from ftbench.data.sources import TRAIN
from ftbench.diagnostics import Diagnostic, Place
from ftbench.spec import template
from ftbench.spec.answers import right_option
from ftbench.spec.model import ChoiceTask, Spec, Task
from ftbench.spec.paths import Path, show
from ftbench.spec.problems import Problem
from ftbench.spec.prompts import filled, item_problems

Row = Mapping[str, Any]

SHOWN = 5
"""Rows that are named for one kind of fault in one column; the rest are counted."""
COMPLETION = "completion"
"""What a model will have written: a column that a code task's `program` has beside its own."""
MEND = "mend the data, or leave the row out by a normaliser or another source"


@dataclass(slots=True)
class _Faults:
    """Faults of one source by where they stand in the spec and what they are."""

    key: str
    at: Path
    """Path of the block that the source and its templates stand in."""
    groups: dict[tuple[str, Path, str], list[str]] = field(default_factory=dict)
    """(code, path, hint) → one text a fault."""

    def add(self, code: str, path: Path, text: str, hint: str = MEND) -> None:
        """Note a fault at `path` inside the block."""
        self.groups.setdefault((code, (*self.at, *path), hint), []).append(text)

    def problems(self) -> Iterator[Problem]:
        """The first of each kind, and how many more there are."""
        for (code, path, hint), texts in self.groups.items():
            for text in texts[:SHOWN]:
                yield Problem(code, path, f"`{self.key}`: {text}", hint)
            if len(texts) > SHOWN:
                yield Problem(code, path, f"`{self.key}`: {len(texts) - SHOWN:,} more rows like these", hint)


def look(spec: Spec, key: str, rows: Sequence[Row]) -> list[Problem]:
    """Everything wrong with the rows of one source of the spec, errors first; `key` is the source's in the pins.

    Errors: FTB360 for a value that a template cannot take, FTB361 for an answer that is no option, FTB362 for an empty
    prompt, option, test or name of a function, and for training rows of which none has an answer. Warnings: FTB363 for
    items that are there twice, FTB364 for training rows that will be left out because they teach nothing.
    """
    if key == TRAIN:
        return _training(spec, rows)
    number, task = next((n, one) for n, one in enumerate(spec.evaluation.tasks) if f"task:{one.name}" == key)
    return _task(task, ("evaluation", "tasks", number), key, rows)


def place_problems(
    problems: Sequence[Problem], place: Callable[[str], Place | None] | None = None
) -> tuple[list[Diagnostic], list[Diagnostic]]:
    """Errors and warnings as diagnostics; `place` gives a path's place in the spec's file."""
    made = []
    for problem in problems:
        at = None
        for end in range(len(problem.path), 0, -1):  # what the file does not have stands where its block does
            at = at or (place(show(problem.path[:end])) if place else None)
        made.append(replace(problem.at(None), place=at))
    return [d for d in made if d.severity == "error"], [d for d in made if d.severity != "error"]


def shown(value: object) -> str:
    """A value for a message: JSON's word for nothing, cut short."""
    text = "null" if value is None else repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _fills(faults: _Faults, columns: Sequence[str], number: int, row: Row) -> bool:
    """Whether the templates that name these columns can be filled for a row."""
    whole = True
    for name in columns:
        value = row.get(name)
        if isinstance(value, bool) or not isinstance(value, str | int):
            text = f"row {number}, column `{name}` is {shown(value)}; a template takes a text or a whole number"
            faults.add(codes.ROW_VALUE, ("columns", name), text)
            whole = False
    return whole


def _named(templates: Mapping[str, str]) -> list[str]:
    """Columns that templates name, each once."""
    return list(dict.fromkeys(name for text in templates.values() for name in template.columns(text)))


def _training(spec: Spec, rows: Sequence[Row]) -> list[Problem]:
    data, faults = spec.data, _Faults(TRAIN, ("data",))
    templates = {"prompt": data.prompt, "completion": data.completion}
    if data.rejected is not None:
        templates["rejected"] = data.rejected
    columns, empty, equal = _named(templates), [], []
    for number, row in enumerate(rows):
        if not _fills(faults, columns, number, row):
            continue
        answers = [template.fill(text, row) for name, text in templates.items() if name != "prompt"]
        if not all(answer.strip() for answer in answers):
            empty.append(number)
        elif len(answers) != len(set(answers)):
            equal.append(number)
    found = list(faults.problems())
    for why, numbers in (("an empty answer", empty), ("two equal answers", equal)):
        if numbers:
            found.append(_left_out(why, numbers, len(rows)))
    if rows and len(empty) + len(equal) == len(rows):
        message = f"`{TRAIN}`: none of the {len(rows):,} rows has an answer to learn"
        found.insert(
            0, Problem(codes.EMPTY_TEXT, ("data", "completion"), message, "look at `completion` and `columns`")
        )
    return found


def _left_out(why: str, numbers: Sequence[int], of: int) -> Problem:
    some = ", ".join(map(str, numbers[:SHOWN])) + (", …" if len(numbers) > SHOWN else "")
    message = f"`{TRAIN}`: {len(numbers):,} of {of:,} rows have {why} and are left out of training: rows {some}"
    hint = "a run tells how many rows of each client were used"
    return Problem(codes.TEACHES_NOTHING, ("data", "completion"), message, hint, severity="warning")


def _task(task: Task, at: Path, key: str, rows: Sequence[Row]) -> list[Problem]:
    faults, seen, templates = _Faults(key, at), _Seen(key, (*at, "source")), _templates(task)
    columns = [name for name in _named(templates) if isinstance(task, ChoiceTask) or name != COMPLETION]
    for number, row in enumerate(rows):
        if not _fills(faults, columns, number, row):
            continue
        prompt = filled(task, row)
        if not prompt.strip():
            faults.add(codes.EMPTY_TEXT, ("prompt",), f"row {number}: the prompt is empty")
        for one in item_problems(task, row, number) if prompt.strip() else ():
            where = ("prompt",) if one.code == codes.PROMPT_END else ("generation", "stop")
            faults.add(one.code, where, one.message, one.hint)
        if isinstance(task, ChoiceTask):
            options = [template.fill(text, row) for text in task.options]
            seen.take(number, (prompt, *options), _right(faults, task, number, row, options))
            continue
        for name in ("tests", "entry_point"):
            if not template.fill(templates[name], row).strip():
                faults.add(codes.EMPTY_TEXT, (name,), f"row {number}: `{name}` is empty")
        seen.take(number, (prompt,), None)
    return [*faults.problems(), *seen.problems(len(rows))]


def _templates(task: Task) -> dict[str, str]:
    """Name → every template that is filled with the task's rows."""
    if isinstance(task, ChoiceTask):
        return {"prompt": task.prompt, **{f"options[{n}]": text for n, text in enumerate(task.options)}}
    names = ("prompt", "program", "tests", "entry_point")
    return {name: getattr(task, name) for name in names} | ({"reference": task.reference} if task.reference else {})


def _right(faults: _Faults, task: ChoiceTask, number: int, row: Row, options: Sequence[str]) -> int | None:
    """Index of the right option; None where there is none. That, and empty options, are told."""
    for place, option in enumerate(options):
        if not option.strip():
            columns = ", ".join(f"`{name}`" for name in template.columns(task.options[place]))
            text = f"row {number}, column {columns}: option {place} is empty"
            faults.add(codes.EMPTY_TEXT, ("options", place), text)
    try:
        return right_option(row.get(task.answer), options)
    except ValueError as error:
        why = "is null" if row.get(task.answer) is None else str(error)
        text = f"row {number}, column `{task.answer}` {why}"
        fixed = not any(template.columns(option) for option in task.options)
        hint = f"{MEND}; the options are {', '.join(map(shown, options[:8]))}" if fixed else MEND
        answer = row.get(task.answer)
        if isinstance(answer, str) and answer.strip().isdecimal():
            typed = f"columns: {{{task.answer}: {{column: NAME, type: integer}}}}"
            hint = f"an index is a number: `{typed}` reads it as one"
        faults.add(codes.NO_OPTION, ("columns", task.answer), text, hint)
        return None


@dataclass(slots=True)
class _Seen:
    """Items that are asked twice."""

    key: str
    at: Path
    first: dict[tuple[str, ...], tuple[int, int | None]] = field(default_factory=dict)
    """Prompt and options → row and right option of the first item with them."""
    again: list[str] = field(default_factory=list)

    def take(self, number: int, asked: tuple[str, ...], right: int | None) -> None:
        """Note an item by what it asks."""
        before = self.first.setdefault(asked, (number, right))
        if before[0] != number:
            other = "" if before[1] == right else f" with another answer ({right}, there {before[1]})"
            self.again.append(f"row {number} asks what row {before[0]} asks{other}")

    def problems(self, rows: int) -> Iterator[Problem]:
        """One warning for all; `rows`: how many items there are."""
        if self.again:
            more = f"; and {len(self.again) - SHOWN:,} more" if len(self.again) > SHOWN else ""
            message = f"`{self.key}`: {len(self.again):,} of {rows:,} items are there already: "
            message += "; ".join(self.again[:SHOWN]) + more
            hint = "such items count several times in the score, and intervals take them for independent"
            yield Problem(codes.REPEATED_ITEM, self.at, message, hint, severity="warning")
