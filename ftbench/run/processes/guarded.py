"""The asker's side of the guardian: start a command under guard, stop it, clear up after a start that was killed."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from ftbench import builtin
from ftbench.run.processes import tree
from ftbench.run.processes.guardian import KEPT_PATH

PACKAGE_ROOT = str(builtin.PACKAGE.parent)
LONGEST_BASE = 24
"""A Unix socket's path has at most 107 characters, and Ray needs 70 of them below its temporary folder."""


class Guarded:
    """A command and all that it starts, alive until `stop` is called or this process ends, in whatever way."""

    def __init__(self, marker: str, temporary: Path, log: Path, command: list[str], env: Mapping[str, str]) -> None:
        """Start it in the folder `temporary`, which goes when it ends; its output goes to `log`. Raises OSError."""
        self.marker = marker
        self.temporary = temporary
        words = [
            sys.executable,
            "-P",
            "-m",
            "ftbench.run.processes.guardian",
            marker,
            str(temporary),
            str(log),
            *command,
        ]
        # The guardian is of this very ftbench; what it guards keeps the path it was given.
        ours = {"PYTHONPATH": PACKAGE_ROOT, KEPT_PATH: env.get("PYTHONPATH", "")}
        with log.open("ab") as errors:
            self._guardian = subprocess.Popen(  # noqa: S603  (a list, from our own engines)
                words,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env={**env, **ours},
                start_new_session=True,  # Ctrl-C in a terminal reaches us only, and we stop it in order
            )

    @property
    def pid(self) -> int:
        """Process id of the guardian."""
        return self._guardian.pid

    def alive(self) -> bool:
        """Whether the command still runs."""
        return self._guardian.poll() is None

    def stop(self) -> list[int]:
        """End everything; returns the ids of processes that could not be ended. May be called twice."""
        for pipe in (self._guardian.stdin, self._guardian.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
        try:
            self._guardian.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self._guardian.kill()
            self._guardian.wait()
        left = tree.end(self.marker)  # what the guardian missed, were it killed itself
        shutil.rmtree(self.temporary, ignore_errors=True)
        return left


def temporary_folder(marker: str) -> Path:
    """A new, private folder with a short path whose name tells whose it is."""
    base = tempfile.gettempdir()
    if len(base) > LONGEST_BASE:
        base = "/tmp"  # noqa: S108  (mkdtemp makes it private)
    return Path(tempfile.mkdtemp(prefix=_prefix(marker), dir=base))


def clear_leftovers(marker: str) -> list[int]:
    """End processes and remove temporary folders of an earlier start of the same run that was killed.

    Returns the ids of processes that could not be ended.
    """
    left = tree.end(marker)
    for base in {tempfile.gettempdir(), "/tmp"}:  # noqa: S108
        for folder in Path(base).glob(_prefix(marker) + "*"):
            if not folder.is_symlink() and folder.stat().st_uid == os.getuid():
                shutil.rmtree(folder, ignore_errors=True)
    return left


def _prefix(marker: str) -> str:
    return f"ftb-{marker[:8]}-"
