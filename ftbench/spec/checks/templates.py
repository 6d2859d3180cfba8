"""Templates name known columns, and white space stands at the right side of the joint.

Prompt and what follows it are tokenised apart. White space at the prompt's end would be a token of its own, which most
tokenizers never produce in running text; at the start of the continuation it belongs to the word after it. A model's
own chat template puts its own marks between the two, so that a continuation there begins with its first word.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from ftbench import codes
from ftbench.diagnostics import did_you_mean
from ftbench.spec import template, words
from ftbench.spec.model import ChoiceTask, CodeTask, Spec
from ftbench.spec.paths import Path, show
from ftbench.spec.problems import Problem
from ftbench.spec.sources import Columns

COMPLETION = "completion"
"""Name by which the program template of a code task holds what the model wrote."""


def data(spec: Spec) -> Iterator[Problem]:
    """Prompt and completion of the training data."""
    block = spec.data
    yield from _columns(block.columns, ("data", "columns"))
    for name in ("prompt", "completion", "rejected"):
        text: str | None = getattr(block, name)
        if text is None:
            continue
        path = ("data", name)
        yield from _known(text, path, block.columns)
        if not _named([text]) and _readable(text):
            message = f"`{show(path)}` names no column, so that it is the same for every row"
            yield Problem(codes.TEMPLATE, path, message, f"columns: {', '.join(block.columns)}")
    yield from _prompt_end(block.prompt, ("data", "prompt"), "`data.completion`")
    yield from _continuation_start(block.completion, ("data", "completion"), block.chat_template)
    if block.rejected is not None:
        yield from _continuation_start(block.rejected, ("data", "rejected"), block.chat_template)


def chat(spec: Spec) -> Iterator[Problem]:
    """A chat template writes the beginning-of-sequence token itself, where its model has one."""
    if spec.data.chat_template == "model" and spec.data.bos:
        message = "`data.chat_template: model` writes the beginning-of-sequence token itself, and `data.bos` would too"
        yield Problem(codes.CONTRADICTION, ("data", "bos"), message, "write `bos: false`")


def tasks(spec: Spec) -> Iterator[Problem]:
    """Prompt, options and answer of every task."""
    chat_template = getattr(spec.data, "chat_template", "none")
    for number, task in enumerate(spec.evaluation.tasks):
        at: Path = ("evaluation", "tasks", number)
        try:
            yield from _columns(task.columns, (*at, "columns"))
            yield from _known(task.prompt, (*at, "prompt"), task.columns)
            if isinstance(task, CodeTask):
                yield from _code(task, at)
            else:
                yield from _choice(task, at, chat_template)
        except AttributeError:  # a field of this task is absent; the next task is looked at all the same
            continue


def _choice(task: ChoiceTask, at: Path, chat_template: str) -> Iterator[Problem]:
    yield from _prompt_end(task.prompt, (*at, "prompt"), "each option")
    for number, option in enumerate(task.options):
        yield from _known(option, (*at, "options", number), task.columns)
        yield from _continuation_start(option, (*at, "options", number), chat_template)
        if option in task.options[:number]:
            message = f"the option {words.quoted(option)} stands twice, so that no answer could tell them apart"
            yield Problem(codes.DUPLICATE, (*at, "options", number), message)
    texts = [task.prompt, *task.options]
    if not _named(texts) and all(map(_readable, texts)):
        message = "neither prompt nor options name a column, so that every item asks the same"
        yield Problem(codes.TEMPLATE, (*at, "prompt"), message, f"columns: {', '.join(task.columns)}")
    if task.answer not in task.columns:
        message = f"`{show((*at, 'answer'))}` is `{task.answer}`, which `columns` does not have"
        hint = did_you_mean(task.answer, task.columns) or f"columns: {', '.join(task.columns)}"
        yield Problem(codes.ANSWER_COLUMN, (*at, "answer"), message, hint)


def _code(task: CodeTask, at: Path) -> Iterator[Problem]:
    if task.prompt != task.prompt.rstrip():
        message = f"`{show((*at, 'prompt'))}` ends in white space, after which models write little or nothing"
        yield Problem(codes.JOINT, (*at, "prompt"), message, "leave it out: the model writes the line break itself")
    if COMPLETION in task.columns:
        message = f"`{COMPLETION}` stands for what the model wrote; a column of that name would hide it"
        yield Problem(
            codes.TEMPLATE_COLUMN, (*at, "columns", COMPLETION), message, "call the column differently", key=True
        )
    yield from _known(task.program, (*at, "program"), [*task.columns, COMPLETION])
    yield from _known(task.tests, (*at, "tests"), task.columns)
    yield from _known(task.entry_point, (*at, "entry_point"), task.columns)
    if task.reference is not None:
        yield from _known(task.reference, (*at, "reference"), task.columns)
    if _readable(task.program) and COMPLETION not in template.columns(task.program):
        message = f"`{show((*at, 'program'))}` lacks `{{{COMPLETION}}}`, so that what the model wrote is never run"
        yield Problem(codes.TEMPLATE, (*at, "program"), message, f"for example `{{prompt}}{{{COMPLETION}}}`")
    for name in ("prompt", "tests"):
        text: str = getattr(task, name)
        if _readable(text) and not template.columns(text):
            message = f"`{show((*at, name))}` names no column, so that it is the same for every item"
            yield Problem(codes.TEMPLATE, (*at, name), message, f"columns: {', '.join(task.columns)}")


def _columns(columns: Columns, at: Path) -> Iterator[Problem]:
    for name, source in columns.items():
        if not template.is_column(name):
            message = f"`{name}` cannot stand in a template: a column's name is letters, digits and underscores"
            yield Problem(codes.TEMPLATE_COLUMN, (*at, name), message, key=True)
        if not source:
            yield Problem(codes.TEMPLATE_COLUMN, (*at, name), f"`{show((*at, name))}` names no column of the source")


def _known(text: str, at: Path, columns: Collection[str]) -> Iterator[Problem]:
    try:
        names = template.columns(text)
    except template.TemplateError as error:
        yield Problem(codes.TEMPLATE, at, f"`{show(at)}`: {error}")
        return
    for name in dict.fromkeys(names):
        if name not in columns:
            message = f"`{show(at)}` names the column `{name}`, which `columns` does not have"
            hint = did_you_mean(name, columns) or f"columns: {', '.join(columns)}; a literal brace is written twice"
            yield Problem(codes.TEMPLATE_COLUMN, at, message, hint)


def _named(texts: Iterable[str]) -> bool:
    return any(_readable(text) and template.columns(text) for text in texts)


def _readable(text: str) -> bool:
    try:
        template.columns(text)
    except template.TemplateError:
        return False
    return True


def _prompt_end(text: str, at: Path, where: str) -> Iterator[Problem]:
    if text != text.rstrip():
        yield Problem(
            codes.JOINT,
            at,
            f"`{show(at)}` ends in white space",
            f"move it to the start of {where}: it is a token there",
        )


def _continuation_start(text: str, at: Path, chat_template: str) -> Iterator[Problem]:
    parted = text != text.lstrip()
    if chat_template == "none" and not parted:
        message = f"`{show(at)}` does not begin with white space, which parts it from the prompt"
        yield Problem(codes.JOINT, at, message, f'write " {text[:20]}{"…" if len(text) > 20 else ""}"')
    elif chat_template == "model" and parted:
        message = f"`{show(at)}` begins with white space, but the chat template parts it from the prompt already"
        yield Problem(codes.JOINT, at, message, "begin with the first word")
