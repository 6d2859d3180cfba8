"""The trial of items and rows beside the engine's start: it takes seconds in which the engine only loads libraries.

Nothing counts before it has passed. What it refuses ends the run with its own words, whatever the engine said of the
same fault; a new run's folder goes then, with rounds that may have been committed. A folder whose start was killed
before the trial had passed says so, by not having the run's mark: `resume` asks again.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from ftbench.atomic import write_file
from ftbench.errors import FtbenchError
from ftbench.run.evaluation.trial import Asked
from ftbench.run.rundir import RunDir


class Beside:
    """One trial of one run."""

    def __init__(self, asked: Asked, run: RunDir, say: Callable[[str], None]) -> None:
        """`say` is told what becomes of rows."""
        self.refused: FtbenchError | None = None
        self._asked: Asked | None = asked
        self._run = run
        self._say = say

    def look(self) -> None:
        """Return while it goes on or where it has passed. Raises what it refuses, as `Asked.report`."""
        if self.refused is not None:
            raise self.refused
        if self._asked is not None and self._asked.ended():
            self.passed()

    def passed(self) -> None:
        """Wait until it has passed. Raises what it refuses, as often as it is asked."""
        if self.refused is not None:
            raise self.refused
        if self._asked is None:
            return
        try:
            report = self._asked.report()
        except FtbenchError as error:
            self.refused = error
            raise
        self._asked = None
        for line in report.lines():
            self._say(f"{line} (see logs/trial.log)")
        write_file(self._run.tried, b"")

    def close(self) -> None:
        """End it, whether or not it has passed."""
        if self._asked is not None:
            self._asked.close()


@contextlib.contextmanager
def ending(trial: Beside | None, run: RunDir, *, new: bool) -> Iterator[None]:
    """No process of the trial outlives this. `new`: the folder goes where the trial refuses it."""
    try:
        yield
    finally:
        if trial is not None:
            trial.close()
            if new and trial.refused is not None:
                run.discard()
