"""Recorded answers put beside the items of a task, and scored by every scoring that what was recorded allows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import ftbench
from ftbench import codes
from ftbench.data.store import Store
from ftbench.diagnostics import Diagnostic, Place, did_you_mean, printable
from ftbench.errors import InvalidInput, MissingResource
from ftbench.recorded.formats import Line, Recorded
from ftbench.result import programs
from ftbench.result.documents import Answer, Score
from ftbench.result.marks import Given
from ftbench.result.score import score_answers
from ftbench.spec.answers import right_option
from ftbench.spec.canonical import digest
from ftbench.spec.model import Evaluation, Spec
from ftbench.spec.pins import Pins
from ftbench.spec.tasks import ChoiceTask, CodeTask, Task
from ftbench.spec.template import before, fill

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
SCRIPT = Path(ftbench.__file__).parent / "tasks" / programs.SCRIPT
"""The sandbox, run as a process of its own, never imported."""


@dataclass(frozen=True, slots=True)
class Item:
    """One item as the spec asks it."""

    digest: str
    prompt: str
    options: list[str]
    target: int | None
    row: Mapping[str, object]


def task_named(spec: Spec, name: str | None, path: Path) -> Task:
    """The task of that name; without one the spec's only task, or the one that the file is named after.

    Raises InvalidInput (FTB685) where it is none, or not plain which.
    """
    tasks = {task.name: task for task in spec.evaluation.scored}
    if name is not None:
        if name not in tasks:
            hint = did_you_mean(name, tasks) or f"its tasks: {', '.join(tasks)}"
            raise InvalidInput(Diagnostic(codes.NO_TASK, f"the spec has no task {printable(name)}", hint=hint))
        return tasks[name]
    plain = path.name.lower().replace("_", "-")
    here = [one for one in tasks if one in plain] if len(tasks) > 1 else list(tasks)
    longest = [one for one in here if not any(one != other and one in other for other in here)]
    if len(longest) != 1:
        hint = f"add --task; its tasks: {', '.join(tasks)}"
        raise InvalidInput(Diagnostic(codes.NO_TASK, "the file's name does not tell the task", Place(str(path)), hint))
    return tasks[longest[0]]


def only(task: Task, names: Sequence[str]) -> Task:
    """The task with these of its scorings, in its own order; with all where none is named.

    Raises InvalidInput (FTB685) for one that it does not have."""
    for name in names:
        if name not in task.scoring:
            hint = did_you_mean(name, task.scoring) or f"its scorings: {', '.join(task.scoring)}"
            message = f"{task.name} has no scoring {printable(name)}"
            raise InvalidInput(Diagnostic(codes.NO_TASK, message, hint=hint))
    return task.model_copy(update={"scoring": [one for one in task.scoring if one in names]}) if names else task


def items_of(task: Task, pins: Pins, store: Store) -> list[Item]:
    """The items in order. Raises MissingResource where they are not pinned, or not in the store."""
    pin = pins.sources[f"task:{task.name}"]
    if pin.digest is None:
        hint = "`ftbench lock SPEC` resolves them, online"
        raise MissingResource(Diagnostic(codes.MISSING_DATA, f"the items of {task.name} are not pinned yet", hint=hint))
    return [_item(task, row) for row in store.rows(pin.digest, f"items of task {task.name}", "ftbench data fetch SPEC")]


def _item(task: Task, row: dict[str, Any]) -> Item:
    options = [fill(option, row) for option in task.options] if isinstance(task, ChoiceTask) else []
    target = right_option(row[task.answer], options) if isinstance(task, ChoiceTask) else None
    return Item(digest(row), fill(task.prompt, row), options, target, row)


def scored(
    recorded: Recorded, task: Task, items: Sequence[Item], evaluation: Evaluation, path: Path
) -> dict[str, dict[str, Score]]:
    """Model → scoring → score, each scoring of the task that the answers allow, in the spec's order.

    Raises InvalidInput: FTB771 where the answers are not to these items, each once; FTB770 where they allow no scoring.
    Raises MissingResource (FTB573) where programs cannot be run here.
    """
    placed = _placed(recorded, task, items, path)
    models = list(recorded.lines[0].answers)
    found: dict[str, dict[str, Score]] = {}
    for model in models:
        answers = [line.answers.get(model, Answer()) for line in placed]
        if isinstance(task, CodeTask):
            if recorded.kind == "bigcode":
                answers = [_completion(task, *one, path) for one in zip(placed, items, answers, strict=True)]
            answers = run_programs(task, [item.row for item in items], answers)
        scorings = [one for one in task.scoring if all(_allows(one, answer) for answer in answers)]
        if not scorings:
            _refuse(
                path, 0, codes.BAD_ANSWERS, f"the answers allow none of the task's scorings: {', '.join(task.scoring)}"
            )
        asked = task.model_copy(update={"scoring": scorings})
        given = [
            Given(_only(answer, scorings), item.options, item.target, item.prompt)
            for answer, item in zip(answers, items, strict=True)
        ]
        by_task, _ = score_answers({task.name: given}, evaluation.model_copy(update={"tasks": [asked], "also": None}))
        found[model] = by_task[task.name]
    return found


def _allows(scoring: str, answer: Answer) -> bool:
    return (answer.loglikelihoods if scoring == "likelihood" else answer.text) is not None


def _only(answer: Answer, scorings: Sequence[str]) -> Answer:
    """What these scorings look at."""
    drop: dict[str, None] = {} if "likelihood" in scorings else {"loglikelihoods": None}
    drop |= {"text": None} if scorings == ["likelihood"] else {}
    return answer.model_copy(update=drop)


def run_programs(task: CodeTask, rows: Sequence[Mapping[str, object]], answers: Sequence[Answer]) -> list[Answer]:
    """The same answers with how their programs ended in the sandbox. Raises MissingResource (FTB573) without one."""
    reason = programs.missing(SCRIPT, programs.needs([task]))
    if reason:
        raise MissingResource(Diagnostic(codes.NO_SANDBOX, f"generated programs can't be run: {reason}"))
    jobs = [programs.job(task, row, answer.text or "") for row, answer in zip(rows, answers, strict=True)]
    ran = programs.outcomes(SCRIPT, jobs)
    return [
        answer.model_copy(update={"passed": outcome["passed"], "status": outcome["status"]})
        for answer, outcome in zip(answers, ran, strict=True)
    ]


def _completion(task: CodeTask, line: Line, item: Item, answer: Answer, path: Path) -> Answer:
    """What a whole program has behind the part that the item gives. Raises InvalidInput (FTB771) where it begins
    otherwise: it is a program to another item, or was asked for in other words."""
    given, text = fill(before(task.program, programs.COMPLETION), item.row), answer.text or ""
    given = given.rstrip() if task.strip_prompt == "right" else given
    if not text.startswith(given):
        message = f"not item {line.number - 1} of {task.name}: the program does not begin with what the item gives"
        _refuse(path, line.number, codes.OTHER_ITEMS, message)
    return answer.model_copy(update={"text": text[len(given) :]})


def _placed(recorded: Recorded, task: Task, items: Sequence[Item], path: Path) -> list[Line]:
    """The lines in the order of the items; each item is there once, and is the one that its line tells of."""
    placed: dict[int, Line] = {}
    for position, line in enumerate(recorded.lines):
        index = position if line.index is None else line.index
        if index in placed:
            _refuse(path, line.number, codes.OTHER_ITEMS, f"item {index} of {task.name} is answered twice")
        placed[index] = line
    missing = [index for index in range(len(items)) if index not in placed]
    if missing or len(placed) != len(items):
        told = f"{len(placed)} answers, {task.name} has {len(items)} items"
        told += f"; the first without one is item {missing[0]}" if missing else ""
        _refuse(path, 0, codes.OTHER_ITEMS, told)
    for index, item in enumerate(items):
        for problem in _differs(placed[index], item):
            _refuse(path, placed[index].number, codes.OTHER_ITEMS, f"not item {index} of {task.name}: {problem}")
    return [placed[index] for index in range(len(items))]


def _differs(line: Line, item: Item) -> Iterator[str]:
    if line.item is not None and line.item != item.digest:
        yield f"its digest is {printable(line.item)[:12]}, the item's {item.digest[:12]}"
    elif line.gold is not None and item.target is not None and item.target not in _meant(line.gold, item.options):
        right = item.options[item.target].strip()
        yield f"its right answer is {printable(str(line.gold))[:40]}, the item's {printable(right)[:40]}"


def _meant(gold: str | int, options: Sequence[str]) -> set[int]:
    """The options that a right answer may be: an index, an option's own text, or a letter."""
    if isinstance(gold, int):
        return {gold}
    bare = gold.strip().lower()
    found = {index for index, option in enumerate(options) if option.strip().lower() == bare}
    return found or {index for index in range(len(options)) if LETTERS[index : index + 1].lower() == bare}


def _refuse(path: Path, number: int, code: str, message: str) -> NoReturn:
    place = Place(str(path), number, 1) if number else Place(str(path))
    raise InvalidInput(Diagnostic(code, message, place))
