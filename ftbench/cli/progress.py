"""Progress on stderr: a line that redraws itself on a terminal, a few plain lines elsewhere."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING

from ftbench.cli.ui import Ui
from ftbench.diagnostics import printable

if TYPE_CHECKING:
    from rich.status import Status

STEPS = 4
"""Plain lines that one phase of an evaluation prints, beside its first."""


class StatusLine:
    """One line of text that stands for what is going on. A context manager: the line goes when it ends."""

    def __init__(self, ui: Ui) -> None:
        self._ui = ui
        self._status: Status | None = None

    def __enter__(self) -> StatusLine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._status is not None:
            self._status.stop()
            self._status = None

    def show(self, text: str, *, keep: bool) -> None:
        """Redraw the line on a terminal; elsewhere print it if it is worth keeping."""
        if not self._ui.interactive:
            if keep:
                self._ui.note(text)
            return
        from rich.text import Text

        shown = Text(printable(text))
        if self._status is None:
            self._status = self._ui.error_console.status(shown)
            self._status.start()
        self._status.update(shown)


class EvaluationProgress(StatusLine):
    """How many of an evaluation's requests are answered."""

    def __init__(self, ui: Ui) -> None:
        super().__init__(ui)
        self._told: dict[str, int] = {}

    def __enter__(self) -> EvaluationProgress:
        return self

    def update(self, phase: str, done: int, total: int) -> None:
        """Phase (`untuned` or `tuned`), requests answered, requests in all."""
        quarter = STEPS * done // total if total else STEPS
        keep = self._told.get(phase, -1) < quarter
        self._told[phase] = max(quarter, self._told.get(phase, -1))
        self.show(f"evaluating the {phase} model: {done:,} of {total:,}", keep=keep)
