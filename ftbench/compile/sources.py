"""The modules that compile copies: the Flower app and the harness hook, byte for byte as they are tested.

They are read as files and never imported: their dependencies (torch, lm-eval) are not needed to compile.
"""

from __future__ import annotations

from pathlib import Path
from typing import get_args

from ftbench.spec.model import Choices, Spec, Strategy
from ftbench.spec.objective import OBJECTIVES

_PACKAGE = Path(__file__).resolve().parent.parent

APP_PACKAGE = "ftbench_app"
"""Name of the app's package in a compiled benchmark."""

STRATEGIES = frozenset(get_args(Strategy.model_fields["kind"].annotation))
"""Every strategy; the app has a module of that name for each, `-` written `_`."""
HOOKS = ("ftbench_tasks.py",)
"""Harness hooks that every task needs."""
SANDBOX = ("ftbench_sandbox.py", "ftbench_sandbox_box.py", "ftbench_sandbox_processes.py", "ftbench_sandbox_seccomp.py")
"""Those that code tasks need as well; `ftbench_sandbox_LANGUAGE*.py` for each language beside them."""


def app_modules(spec: Spec) -> dict[str, bytes]:
    """Path inside the compiled benchmark → bytes of every module of the app that the spec's runs may need."""
    folder = _PACKAGE / "app"
    unused = STRATEGIES - allowed_strategies(spec)
    left_out = {folder / "strategy" / f"{kind.replace('-', '_')}.py" for kind in unused}
    if spec.privacy is None:
        left_out |= set((folder / "privacy").glob("*.py")) - {folder / "privacy" / "__init__.py"}
    left_out |= {folder / "objective" / f"{kind}.py" for kind in OBJECTIVES if kind != spec.objective.kind}
    return {
        f"app/{APP_PACKAGE}/{path.relative_to(folder).as_posix()}": path.read_bytes()
        for path in sorted(folder.rglob("*.py"))
        if path not in left_out
    }


def allowed_strategies(spec: Spec) -> set[str]:
    """The strategies that an entry may have: the spec's own, and what its knob `strategy.kind` allows."""
    knob = spec.knobs.get("strategy.kind")
    if isinstance(knob, Choices):
        return {spec.strategy.kind, *map(str, knob.choices)}
    return {spec.strategy.kind} if knob is None else set(STRATEGIES)


def task_modules(spec: Spec) -> dict[str, bytes]:
    """Path inside the compiled benchmark → bytes of the harness hooks that the spec's tasks need."""
    folder = _PACKAGE / "tasks"
    hooks = [folder / name for name in HOOKS]
    languages = {task.language for task in spec.evaluation.tasks if task.kind == "code"}
    hooks += [folder / name for name in SANDBOX if languages]
    hooks += [path for language in sorted(languages) for path in sorted(folder.glob(f"ftbench_sandbox_{language}*.py"))]
    return {f"tasks/{path.name}": path.read_bytes() for path in hooks}
