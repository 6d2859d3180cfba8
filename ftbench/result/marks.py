"""Whether one answer to one item is right, by each scoring. Pure and light: runner, verifier and board share it."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from ftbench import codes
from ftbench.diagnostics import Diagnostic
from ftbench.result.documents import MAX_LOSS, Answer, Withheld
from ftbench.result.extraction import extract, flowertune
from ftbench.spec.tasks import ChoiceTask, CodeTask, Task

ROUNDING = 1e-3
"""How far above 0, in nats, a log-likelihood may come out by rounding."""

NOT_PLAIN = "not-plain"
"""Status of a program that answered its tests with something that is no plain data."""

Mark = Literal["right", "wrong", "unparsable"]


@dataclass(frozen=True, slots=True)
class Given:
    """One answer with what it answers to."""

    answer: Answer
    options: Sequence[str | Withheld]
    target: int | None
    prompt: str | Withheld = ""
    """What was asked: its lettered lines tell the letters' own texts."""


def mark(task: Task, scoring: str, given: Given) -> Mark:
    """The mark of an answer that `problems` has nothing against.

    Raises ValueError for a scoring that there is not, and for one that reads options which are withheld.
    """
    answer = given.answer
    if scoring == "pass@1":
        return "right" if answer.passed else "unparsable" if answer.status == NOT_PLAIN else "wrong"
    if isinstance(task, CodeTask):
        raise ValueError(f"{scoring!r} is no scoring of a code task")
    return mark_of(picked(task, scoring, given), given.target)


def mark_of(chosen: int | None, target: int | None) -> Mark:
    """The mark of a choice."""
    return "unparsable" if chosen is None else "right" if chosen == target else "wrong"


def picked(task: ChoiceTask, scoring: str, given: Given) -> int | None:
    """Index of the option that the answer is by a scoring, None where there is none to be found.

    Raises ValueError for a scoring that the task has no rule for.
    """
    text = given.answer.text or ""
    if scoring == "likelihood":
        return chosen(given.answer)
    if scoring == "generated" and task.extraction is not None:
        if not isinstance(given.prompt, str):
            raise ValueError("the prompt is withheld: fill it in from the data")
        # Of a prompt only letters' own texts are read: without letters, answers to other prompts are found again.
        prompt = given.prompt if task.extraction == "option-letter" else ""
        return _extracted(task.extraction, text, tuple(_texts(given)), prompt)
    if scoring == "flowertune" and task.flowertune is not None:
        return flowertune(task.flowertune, text, _texts(given))
    raise ValueError(f"task {task.name} has no rule for the scoring {scoring!r}")


def _texts(given: Given) -> list[str]:
    texts = [option for option in given.options if isinstance(option, str)]
    if len(texts) < len(given.options):
        raise ValueError("the options are withheld: fill them in from the data")
    return texts


@functools.lru_cache(maxsize=2**16)
def _extracted(rule: str, text: str, options: tuple[str, ...], prompt: str) -> int | None:
    """Every scorer asks several times of an answer, and many models write the same."""
    return extract(rule, text, list(options), prompt)


def chosen(answer: Answer) -> int:
    """Index of the option with the highest log-likelihood, the first of equals."""
    values = answer.loglikelihoods or []
    return max(range(len(values)), key=values.__getitem__)


def asks_likelihood(task: Task) -> bool:
    """Whether the task's items are asked for the log-likelihood of each option."""
    return "likelihood" in task.scoring


def asks_text(task: Task) -> bool:
    """Whether the model writes an answer to the task's items."""
    return task.scoring != ["likelihood"] and any(scoring != "likelihood" for scoring in task.scoring)


def problems(task: Task, given: Given, where: str) -> Iterator[Diagnostic]:
    """Why an answer can't be scored: FTB681–684; nothing where it can."""
    return iter(()) if _plain_choice(task, given) else _problems(task, given, where)


def _plain_choice(task: Task, given: Given) -> bool:
    """Whether nothing can be wrong with an answer to a choice task, as with nearly all of them: in one look."""
    answer, options, values = given.answer, given.options, given.answer.loglikelihoods
    return (
        isinstance(task, ChoiceTask)
        and given.target is not None
        and 0 <= given.target < len(options)
        and answer.passed is None
        and answer.status is None
        and (answer.text is not None) == asks_text(task)
        and (answer.text is None or all(type(option) is str for option in options))
        and (values is not None) == asks_likelihood(task)
        and (values is None or (len(values) == len(options) and all(-MAX_LOSS <= one <= ROUNDING for one in values)))
    )


def _problems(task: Task, given: Given, where: str) -> Iterator[Diagnostic]:
    answer = given.answer
    if isinstance(task, CodeTask):
        if given.options or given.target is not None:
            yield Diagnostic(codes.WRONG_TARGET, f"{where}: a code task's item has neither options nor target")
    elif given.target is None or not 0 <= given.target < len(given.options):
        message = f"{where} has target {given.target} but {len(given.options)} options, counted from 0"
        yield Diagnostic(codes.WRONG_TARGET, message)
    elif asks_text(task) and not all(isinstance(option, str) for option in given.options):
        yield Diagnostic(codes.NO_ANSWER, f"{where}: its options are withheld, and what models wrote is read by them")
    likelihood, code = asks_likelihood(task), isinstance(task, CodeTask)
    for name, value, asked in (
        ("loglikelihoods", answer.loglikelihoods, likelihood),
        ("text", answer.text, asks_text(task)),
        ("passed", answer.passed, code),
        ("status", answer.status, code),
    ):
        if asked != (value is not None):
            yield Diagnostic(
                codes.NO_ANSWER, f"{where}: `{name}` is {'missing' if asked else 'given, but not asked for'}"
            )
    if answer.loglikelihoods is not None and likelihood:
        yield from _likelihoods(answer.loglikelihoods, len(given.options), where)
    if answer.passed is not None and answer.passed != (answer.status == "passed"):
        yield Diagnostic(codes.NO_ANSWER, f"{where}: passed is {answer.passed}, yet the status is {answer.status!r}")


def _likelihoods(values: Sequence[float], options: int, where: str) -> Iterator[Diagnostic]:
    if len(values) != options:
        yield Diagnostic(codes.WRONG_LENGTH, f"{where}: {len(values)} log-likelihoods for {options} options")
        return
    # −infinity is refused too: JSON cannot hold it, and a model that gives it to a whole option has overflowed. So is
    # what no float32 holds: a model's own numbers are no larger, and sums and differences of such ones still numbers.
    wrong = [v for v in values if not -MAX_LOSS <= v <= ROUNDING]
    if wrong:
        yield Diagnostic(codes.RESULT_NOT_FINITE, f"{where}: {wrong[0]} is not the logarithm of a probability")
