"""How long work tells what it does, and where warnings go."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ftbench.diagnostics import Diagnostic

Tell = Callable[[str], None]
"""Called with one sentence: what is being done, or a warning with its code."""


def silent(text: str) -> None:
    """Nobody wants to know."""


def warn(tell: Tell, diagnostics: Iterable[Diagnostic]) -> None:
    """Pass warnings on, each as `place code message`."""
    for one in diagnostics:
        tell(one.plain())
