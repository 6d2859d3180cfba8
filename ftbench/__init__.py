"""ftbench: a declarative benchmark compiler for federated fine-tuning of language models.

In Python: `load_spec`, `validate`, `lock`, `compile`, `estimate`, `run`, `verify`, `Board`, `Bundle`, and the errors
that they raise. Importing this loads nothing else; each name is loaded when it is first asked for. See docs/python.md.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import Any

__version__ = "0.2.0"

PACKAGES = ("compile", "run", "verify")
"""Functions that are called as the packages are that do their work: `ftbench.run` is a package that can be called."""
API = (
    "Board",
    "Bundle",
    "Estimate",
    "LoadedSpec",
    "Locked",
    "Progress",
    "RunOutcome",
    "Spec",
    "Verdict",
    "estimate",
    "load_spec",
    "lock",
    "validate",
)
ERRORS = ("CheckFailed", "FtbenchError", "InvalidInput", "MissingResource", "RunFailed", "RunIncomplete")
NAMES: dict[str, str] = {
    **dict.fromkeys(API, "ftbench.api"),
    **dict.fromkeys(ERRORS, "ftbench.errors"),
    "Diagnostic": "ftbench.diagnostics",
}
"""Name → the module that has it."""


class _Callable(ModuleType):
    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """As the function of that name in `ftbench.api`."""
        return getattr(import_module("ftbench.api"), self.__name__.rpartition(".")[2])(*args, **kwargs)


class _Package(ModuleType):
    def __setattr__(self, name: str, value: object) -> None:
        """The import system binds a package to its parent here, whoever asks for it first."""
        if name in PACKAGES and isinstance(value, ModuleType):
            value.__class__ = _Callable
        super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package


def __getattr__(name: str) -> Any:
    if name in PACKAGES:
        return import_module(f"ftbench.{name}")
    if name not in NAMES:
        raise AttributeError(f"module 'ftbench' has no attribute {name!r}")
    return getattr(import_module(NAMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *NAMES, *PACKAGES})
