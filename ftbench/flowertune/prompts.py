"""The training prompt of an app as templates of a spec: its f-string, each field put back to the data's columns."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from ftbench import codes
from ftbench.diagnostics import Diagnostic, Place
from ftbench.errors import InvalidInput
from ftbench.flowertune.app import App
from ftbench.flowertune.wording import FORMATS
from ftbench.spec.emit import flow

COLUMNS = ("instruction", "input", "output")
"""Columns of the four domains' training sets."""
Columns = dict[str, str]
"""Field that the app's template names → template of the data's columns."""


@dataclass(frozen=True, slots=True)
class Wording:
    """As `data.prompt` and `data.completion` of a spec have it."""

    prompt: str
    completion: str
    place: str


def wording(app: App) -> Wording:
    """Of the app's formatting function. Raises InvalidInput (FTB923) where the text does not tell."""
    found = [
        (node, module)
        for module in app.modules
        for node in ast.walk(module.tree)
        if isinstance(node, ast.FunctionDef) and (node.name == FORMATS or "format" in node.name)
    ]
    found.sort(key=lambda pair: pair[0].name != FORMATS)
    columns = _columns(app)
    for node, module in found:
        for parts in _templates(node):
            made = _split(parts, columns)
            if made is not None:
                return Wording(*made, f"{module.path}:{node.lineno}")
    _refuse(app, f"no function of the app puts a prompt together as `{FORMATS}` of the public template does")


def spec_text(app: App, benchmark: str, told: Wording) -> str:
    """A draft spec: the benchmark with the app's prompt. It is another benchmark, with another hash."""
    domain = benchmark.rpartition("/")[2]
    place = _line(told.place.removeprefix(f"{app.folder}/"))
    return "\n".join(
        [
            f"# A draft, written by `ftbench import flowertune --prompts`: {benchmark} with the prompt of {app.name}.",
            f"# The wording is that of {place}. Tasks keep the benchmark's own prompts: change them below",
            "# `evaluation.tasks` where the app's evaluation asks otherwise. Another prompt is another benchmark:",
            f"# its results stand in a table of their own, never beside those of {benchmark}.",
            f"extends: {benchmark}",
            "metadata:",
            f"  name: {flow(f'{domain}-{app.name}'[:60].rstrip('-'))}",
            "  version: 0.1.0",
            f"  title: {flow(f'{domain} with the prompt of {app.name}'[:100])}",
            "data:",
            f"  prompt: {flow(told.prompt)}",
            f"  completion: {flow(told.completion)}",
            "",
        ]
    )


def _line(text: str) -> str:
    return "".join(character if character.isprintable() else "?" for character in text)


def _refuse(app: App, message: str) -> NoReturn:
    raise InvalidInput(Diagnostic(codes.NO_WORDING, message, Place(app.shown), "write `data.prompt` by hand"))


def _templates(function: ast.FunctionDef) -> Iterator[list[str | ast.expr]]:
    """Every text with fields in a function, as its parts."""
    texts: dict[str, str] = {}
    for node in ast.walk(function):
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            texts |= {target.id: node.value.value for target in node.targets if isinstance(target, ast.Name)}
    for node in ast.walk(function):
        if isinstance(node, ast.JoinedStr):
            parts: list[str | ast.expr] = []
            for one in node.values:
                if isinstance(one, ast.Constant):
                    parts.append(str(one.value))
                elif isinstance(one, ast.FormattedValue) and isinstance(one.value, ast.Name) and one.value.id in texts:
                    parts.append(texts[one.value.id])
                elif isinstance(one, ast.FormattedValue):
                    parts.append(one.value)
            yield parts


def _split(parts: list[str | ast.expr], columns: Columns) -> tuple[str, str] | None:
    """Prompt and completion: the completion is the last field, with the white space before it."""
    filled: list[tuple[str, bool]] = []
    for part in parts:
        if isinstance(part, str):
            filled.append((part.replace("{", "{{").replace("}", "}}"), False))
            continue
        name = _field(part)
        if name is None or name not in columns:
            return None
        filled.append((columns[name], True))
    fields = [number for number, (_, is_field) in enumerate(filled) if is_field]
    if len(fields) < 2 or fields[-1] != len(filled) - 1 or "{output}" not in filled[-1][0]:
        return None
    prompt = "".join(text for text, _ in filled[:-1])
    bare = prompt.rstrip()
    return bare, prompt[len(bare) :] + filled[-1][0]


def _field(node: ast.expr) -> str | None:
    """`example["response"][i]` or `example["response"]` → `response`."""
    if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Subscript):
        node = node.value
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant) and isinstance(node.slice.value, str):
        return node.slice.value
    return None


def _columns(app: App) -> Columns:
    """What the app's `reformat` makes of the columns, for the domain that it is called with."""
    columns = {name: f"{{{name}}}" for name in COLUMNS}
    functions = {
        node.name: (node, module)
        for module in app.modules
        for node in ast.walk(module.tree)
        if isinstance(node, ast.FunctionDef)
    }
    if "reformat" not in functions:
        return columns | {"response": "{output}"}
    node = functions["reformat"][0]
    task = _task(app)
    _apply(node.body, columns, {name: one for name, (one, _) in functions.items()}, task)
    return columns


def _task(app: App) -> str:
    """The domain that `reformat` is called with."""
    for module in app.modules:
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "reformat":
                given = [word.value for word in node.keywords if word.arg == "llm_task"] + node.args[1:2]
                if given and isinstance(given[0], ast.Constant):
                    return str(given[0].value)
    return ""


def _apply(body: list[ast.stmt], columns: Columns, functions: Mapping[str, ast.FunctionDef], task: str) -> None:
    for statement in body:
        if isinstance(statement, ast.If):
            _apply(statement.body if _holds(statement.test, task) else statement.orelse, columns, functions, task)
        for call in (
            [node for node in ast.walk(statement) if isinstance(node, ast.Call)]
            if isinstance(statement, ast.Assign)
            else []
        ):
            name, words = getattr(call.func, "attr", ""), [_texts(one) for one in call.args]
            removed = [one for word in call.keywords if word.arg == "remove_columns" for one in _texts(word.value)]
            if name == "rename_column" and len(words) == 2 and words[0] and words[1]:
                columns[words[1][0]] = columns.pop(words[0][0], "")
            elif name == "remove_columns" and words:
                removed += words[0]
            elif name == "map" and call.args and isinstance(call.args[0], ast.Name):
                function = functions.get(call.args[0].id)
                if function is not None:
                    _map(function, columns)
            for one in removed:
                columns.pop(one, None)


def _holds(test: ast.expr, task: str) -> bool:
    """`llm_task == "x"`, `llm_task in [...]`, and both joined by `or`."""
    if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.Or):
        return any(_holds(one, task) for one in test.values)
    return isinstance(test, ast.Compare) and task in _texts(test.comparators[0])


def _texts(node: ast.AST) -> list[str]:
    return [one.value for one in ast.walk(node) if isinstance(one, ast.Constant) and isinstance(one.value, str)]


def _map(function: ast.FunctionDef, columns: Columns) -> None:
    """`row["a"] = row["a"] + " " + row["b"]`, each in turn."""
    for statement in function.body:
        if isinstance(statement, ast.Assign) and (name := _field(statement.targets[0])):
            made = _joined(statement.value, columns)
            if made is not None:
                columns[name] = made


def _joined(node: ast.expr, columns: Columns) -> str | None:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        left, right = _joined(node.left, columns), _joined(node.right, columns)
        return None if left is None or right is None else left + right
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value.replace("{", "{{").replace("}", "}}")
    name: Any = _field(node)
    return columns.get(name) if name else None
