"""Prompts and scorers: whether their text is the public one's, by the syntax tree, and the prompt as a template."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from ftbench.flowertune import shapes
from ftbench.flowertune.app import Module
from ftbench.flowertune.case import Case

KNOWN = Path(__file__).with_name("known.json")
FORMATS = "formatting_prompts_func"

Reference = Mapping[str, Mapping[str, Sequence[str]]]


def known() -> Reference:
    """Digests of the functions of the public template and of the public evaluation scripts, in all their versions."""
    found: Reference = json.loads(KNOWN.read_bytes())
    return found


def of_modules(own: Sequence[Module], scorers: Sequence[Module]) -> Reference:
    """The same of a template and scripts that somebody names: of what makes prompts, and of all that scores."""
    here = {node.name: node for node, _ in _functions(own)}
    making = {name for name in known()["prompt"] if name in here}
    while more := {name for one in making for name in _names(here[one]) if name in here} - making:
        making |= more
    return {
        "prompt": {name: _digests(own, name) for name in sorted(making)},
        "scorer": {name: _digests(scorers, name) for name in sorted({node.name for node, _ in _functions(scorers)})},
    }


def _digests(modules: Sequence[Module], name: str) -> list[str]:
    return sorted({shapes.digest(node) for node, _ in _functions(modules) if node.name == name})


def _names(function: ast.FunctionDef) -> set[str]:
    return {node.id for node in ast.walk(function) if isinstance(node, ast.Name)}


def look(case: Case) -> None:
    """Every finding of this subject."""
    prompts = case.reference.get("prompt", {})
    here = list(_functions(case.app.modules))
    for node, module in here:
        if node.name in prompts and shapes.digest(node) not in prompts[node.name]:
            what = "the wording of prompts" if node.name == FORMATS else "how prompts are made"
            case.departs(
                "prompts", f"`{node.name}` is not the public template's: {what} was changed", _place(node, module)
            )
    if not any(node.name == FORMATS for node, _ in here):
        text = f"there is no `{FORMATS}` as in the public template: prompts are made otherwise"
        case.departs("prompts", text, str(case.app.folder))
    scorers = case.reference.get("scorer", {})
    for node, module in _functions(case.app.scorers):
        if node.name in scorers and shapes.digest(node) not in scorers[node.name]:
            case.departs("scorer", f"`{node.name}` is not that of the public evaluation scripts", _place(node, module))


def _functions(modules: Sequence[Module]) -> Iterator[tuple[ast.FunctionDef, Module]]:
    for module in modules:
        for node in ast.walk(module.tree):
            if isinstance(node, ast.FunctionDef):
                yield node, module


def _place(node: ast.FunctionDef, module: Module) -> str:
    return f"{module.path}:{node.lineno}"
