"""What Python programs call, and the command line stands on: small functions over the packages that do the work.

Every function takes a spec as a path, as the name of a built-in one, or loaded. What cannot be done raises an
`FtbenchError` whose `diagnostics` have the codes of the command line; warnings come to `tell`, in sentences. A name is
loaded when it is asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ftbench.api.board import Board
    from ftbench.api.bundle import Bundle
    from ftbench.api.judging import Verdict, verify
    from ftbench.api.running import Progress, RunOutcome, run
    from ftbench.api.specs import Estimate, LoadedSpec, Locked, Spec, compile, estimate, load_spec, lock, validate

__all__ = [
    "Board",
    "Bundle",
    "Estimate",
    "LoadedSpec",
    "Locked",
    "Progress",
    "RunOutcome",
    "Spec",
    "Verdict",
    "compile",
    "estimate",
    "load_spec",
    "lock",
    "run",
    "validate",
    "verify",
]

_WHERE = {
    "Board": "board",
    "Bundle": "bundle",
    **dict.fromkeys(("Verdict", "verify"), "judging"),
    **dict.fromkeys(("Progress", "RunOutcome", "run"), "running"),
}
"""Name → its module here; those not named are of `specs`."""


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_WHERE.get(name, 'specs')}"), name)
