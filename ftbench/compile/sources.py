"""The modules that compile copies: the Flower app and the harness hook, byte for byte as they are tested.

They are read as files and never imported: their dependencies (torch, lm-eval) are not needed to compile.
"""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent.parent

APP_PACKAGE = "ftbench_app"
"""Name of the app's package in a compiled benchmark."""

HOOKS = ("ftbench_tasks.py",)
"""Harness hooks that choice tasks need."""


def app_modules() -> dict[str, bytes]:
    """Path inside the compiled benchmark → bytes of every module of the app."""
    folder = _PACKAGE / "app"
    return {
        f"app/{APP_PACKAGE}/{path.relative_to(folder).as_posix()}": path.read_bytes()
        for path in sorted(folder.rglob("*.py"))
    }


def task_modules() -> dict[str, bytes]:
    """Path inside the compiled benchmark → bytes of the harness hooks."""
    return {f"tasks/{path.name}": path.read_bytes() for path in [_PACKAGE / "tasks" / name for name in HOOKS]}
