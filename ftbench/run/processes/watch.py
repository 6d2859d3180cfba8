"""The watchdog: says when a run has made no progress for too long."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from ftbench import codes
from ftbench.diagnostics import Diagnostic, Place
from ftbench.errors import RunFailed

WATCHED = ("ledger.jsonl", "measurements.jsonl")
MARGIN = 180.0
"""Seconds beyond the round's own limit: the app ends a round itself, and loading a model takes time too."""


class Watchdog:
    """Watches the files that a run appends to."""

    def __init__(
        self, folder: Path, limit: float, clock: Callable[[], float] = time.monotonic, *, run_dir: Path | None = None
    ) -> None:
        """`limit` in seconds, counted from now and from each change. `run_dir`: the run that is gone on with, where
        `folder` is only a reference of it."""
        self.folder = folder
        self.run_dir = run_dir or folder
        self.limit = limit
        self._clock = clock
        self._seen = self._look()
        self._since = clock()

    def check(self) -> None:
        """Raise RunFailed (FTB524) if nothing changed for longer than the limit."""
        look = self._look()
        if look != self._seen:
            self._seen, self._since = look, self._clock()
        elif self._clock() - self._since > self.limit:
            raise RunFailed(
                Diagnostic(
                    codes.STALLED,
                    f"no round was committed for {self.limit:.0f} s; the run was stopped",
                    Place(str(self.folder)),
                    hint=f"see {self.run_dir / 'logs'}; a slow machine needs a longer `--round-timeout`; "
                    f"`ftbench run --resume {self.run_dir}` goes on",
                )
            )

    def _look(self) -> tuple[tuple[int, int], ...]:
        found = []
        for name in WATCHED:
            try:
                info = (self.folder / name).stat()
                found.append((info.st_size, info.st_mtime_ns))
            except OSError:
                found.append((0, 0))
        return tuple(found)
