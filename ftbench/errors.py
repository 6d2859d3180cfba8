"""One class for each exit code. Anything else that escapes is a bug in ftbench (exit code 70)."""

from __future__ import annotations

from collections.abc import Sequence

from ftbench.diagnostics import Diagnostic


class FtbenchError(Exception):
    """Base of every error that a user can cause or mend.

    `diagnostics` says what is wrong, where, why and how to mend it; `exit_code` is what the command returns.
    """

    exit_code = 70

    def __init__(self, diagnostics: Diagnostic | Sequence[Diagnostic]) -> None:
        self.diagnostics: list[Diagnostic] = [diagnostics] if isinstance(diagnostics, Diagnostic) else list(diagnostics)
        super().__init__("\n".join(d.plain() for d in self.diagnostics))

    def __reduce__(self) -> tuple[type[FtbenchError], tuple[list[Diagnostic]]]:
        """So that it passes from one process to another whole."""
        return type(self), (self.diagnostics,)


class CheckFailed(FtbenchError):
    """What was asked to hold does not: generated files drifted, or a bundle did not reach the level asked for."""

    exit_code = 1


class InvalidInput(FtbenchError):
    """A spec, entry, pins file or bundle that cannot be used as it is."""

    exit_code = 3


class MissingResource(FtbenchError):
    """Something needed is not here: data or a model in the store, a package, a tool."""

    exit_code = 4


class RunFailed(FtbenchError):
    """A run began and could not be finished."""

    exit_code = 5


class RunIncomplete(FtbenchError):
    """A run stopped at a limit: a hard budget or one that the operator set."""

    exit_code = 6
