"""`progress.json`: how far a run is, for who looks at it from another terminal. Of no use to the run itself."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from ftbench import codes
from ftbench.diagnostics import Diagnostic, Place
from ftbench.errors import InvalidInput
from ftbench.result.documents import Round
from ftbench.run.processes.tail import LedgerTail
from ftbench.run.progress import Listener, Progress, Seen

NAME = "progress.json"
EVERY = 1.0
"""Seconds between two writings, but that a new phase is written at once."""


class Keeping:
    """Passes on what a run tells, and keeps the last of it in the run's folder."""

    def __init__(self, listener: Listener, clock: Callable[[], float] = time.monotonic) -> None:
        self._listener = listener
        self._clock = clock
        self._last = ("", -EVERY)

    def show(self, progress: Progress) -> None:
        """Pass it on."""
        phase, written = self._last
        now = self._clock()
        if progress.phase != phase or now - written >= EVERY:
            self._last = (progress.phase, now)
            with contextlib.suppress(OSError):  # a full disk ends a run elsewhere, with its reason
                _write(progress)
        self._listener.show(progress)

    def note(self, text: str) -> None:
        """Pass it on."""
        self._listener.note(text)


def _write(progress: Progress) -> None:
    """Without waiting for the disk: a second later it is out of date."""
    about = {**asdict(progress), "run_dir": "", "history": []}
    target = progress.run_dir / NAME
    fresh = target.with_name(f".{NAME}.new")
    fresh.write_text(json.dumps(about, sort_keys=True), "utf-8")
    fresh.replace(target)


class Watched:
    """A run in another process, by its files alone."""

    def __init__(self, run_dir: Path) -> None:
        """Raises InvalidInput (FTB501) where no run has told of itself."""
        self.run_dir = run_dir
        self._ledger = LedgerTail(run_dir / "ledger.jsonl")
        self._history: list[Seen] = []
        self._spent = 0
        self.read()

    def read(self) -> tuple[Progress, float]:
        """How far it is, and the seconds since it said so. Raises InvalidInput (FTB501)."""
        path = self.run_dir / NAME
        try:
            about = json.loads(path.read_bytes())
            age = max(0.0, time.time() - path.stat().st_mtime)
            progress = Progress(**{**about, "run_dir": self.run_dir, "history": self._history})
        except (OSError, ValueError, TypeError) as error:
            hint = "give the folder of a run that `ftbench run` has begun"
            message = "no run has told how far it is in this folder"
            raise InvalidInput(Diagnostic(codes.NOT_A_RUN, message, Place(str(self.run_dir)), hint)) from error
        for line in self._ledger.read():
            if isinstance(line.body, Round):
                self._history.append(self._seen(line.body))
        return progress, age

    def _seen(self, body: Round) -> Seen:
        self._spent += body.bytes_down + body.bytes_up
        losses = [reply.loss for reply in body.replies]
        return Seen(
            round=body.round,
            loss=sum(losses) / len(losses) if losses else None,
            validation_loss=body.validation_loss,
            learning_rate=body.learning_rate,
            bytes=self._spent,
            excluded=len(body.excluded),
        )
