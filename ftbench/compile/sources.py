"""The modules that compile copies: the Flower app and the harness hook, byte for byte as they are tested.

They are read as files and never imported: their dependencies (torch, lm-eval) are not needed to compile. What a plan
does not use is not copied, so that what is added beside it moves no other benchmark's hash.
"""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterable
from pathlib import Path
from typing import get_args

from ftbench.spec.model import Choices, Spec, Strategy
from ftbench.spec.tasks import Task

_PACKAGE = Path(__file__).resolve().parent.parent

APP_PACKAGE = "ftbench_app"
"""Name of the app's package in a compiled benchmark."""

STRATEGIES = frozenset(get_args(Strategy.model_fields["kind"].annotation))
"""Every strategy; the app has a module of that name for each, `-` written `_`."""
HOOKS = ("ftbench_tasks.py",)
"""Harness hooks that every task needs."""
ANSWERS = ("ftbench_answers.py",)
"""Those that tasks need whose answers are read: choice tasks that are written, programs in fences or after a prompt
that was stripped."""
SANDBOX = ("ftbench_sandbox.py", "ftbench_sandbox_box.py", "ftbench_sandbox_processes.py", "ftbench_sandbox_seccomp.py")
"""Those that code tasks need as well; `ftbench_sandbox_LANGUAGE*.py` for each language beside them."""


def app_modules(spec: Spec) -> dict[str, bytes]:
    """Path inside the compiled benchmark → bytes of every module of the app that the spec's runs may need.

    Of the packages whose modules are asked for by name (`strategy`, `objective`, `coding`) those that the spec allows,
    with what they import of their own package; `privacy` whole or not at all.
    """
    folder = _PACKAGE / "app"
    chosen: dict[str, set[str]] = {
        "strategy": {"base", *allowed_strategies(spec)},
        "objective": {spec.objective.kind},
        "coding": allowed_codings(spec),
        "privacy": {"client", "server"} if spec.privacy is not None else set(),
    }
    needed = {
        path for package, kinds in chosen.items() for path in _closure(folder / package, [_module(k) for k in kinds])
    }
    return {
        f"app/{APP_PACKAGE}/{path.relative_to(folder).as_posix()}": path.read_bytes()
        for path in sorted(folder.rglob("*.py"))
        if path.parent.name not in chosen or path in needed
    }


def _module(kind: str) -> str:
    return kind.replace("-", "_")


def _closure(package: Path, names: Iterable[str]) -> set[Path]:
    """Files of a package: the modules named, and whatever of the package these import; of one that is not used its
    `__init__` alone, which answers that it is not."""
    found = {package / "__init__.py"}
    waiting = sorted(names)
    waiting += _siblings(package / "__init__.py") if waiting else ()
    while waiting:
        path = package / f"{waiting.pop()}.py"
        if path.is_file() and path not in found:
            found.add(path)
            waiting += _siblings(path)
    return found


@functools.cache
def _siblings(path: Path) -> tuple[str, ...]:
    """Names that a module's own `from . import x` and `from .x import y` mention, wherever they stand."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.ImportFrom) and node.level == 1:
            names |= {node.module.partition(".")[0]} if node.module else {alias.name for alias in node.names}
    return tuple(sorted(names))


def allowed_strategies(spec: Spec) -> set[str]:
    """The strategies that an entry may have: the spec's own, and what its knob `strategy.kind` allows."""
    return _allowed(spec, "strategy.kind", spec.strategy.kind)


def allowed_codings(spec: Spec) -> set[str]:
    """The codings that a run may use: the spec's, what its knobs allow, and float32, in which nothing is coded."""
    transport = spec.transport
    ways = {"transport.down": transport.down, "transport.up": transport.up}
    return {"float32"}.union(*(_allowed(spec, path, own) for path, own in ways.items()))


def _allowed(spec: Spec, path: str, own: str) -> set[str]:
    knob = spec.knobs.get(path)
    return {own, *map(str, knob.choices)} if isinstance(knob, Choices) else {own}


def _reads(task: Task) -> bool:
    if task.kind == "choice":
        return task.scoring != ["likelihood"]
    return bool(task.strip_prompt or task.extraction)


def task_modules(spec: Spec) -> dict[str, bytes]:
    """Path inside the compiled benchmark → bytes of the harness hooks that the spec's tasks need."""
    folder = _PACKAGE / "tasks"
    hooks = [folder / name for name in HOOKS]
    languages = {task.language for task in spec.evaluation.tasks if task.kind == "code"}
    hooks += [folder / name for name in ANSWERS if any(map(_reads, spec.evaluation.tasks))]
    hooks += [folder / name for name in SANDBOX if languages]
    hooks += [path for language in sorted(languages) for path in sorted(folder.glob(f"ftbench_sandbox_{language}*.py"))]
    return {f"tasks/{path.name}": path.read_bytes() for path in hooks}
