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
from typing import Literal

from ftbench import builtin
from ftbench.run.processes import tree
from ftbench.run.processes.guardian import KEPT_PATH

PACKAGE_ROOT = str(builtin.PACKAGE.parent)
LONGEST_SOCKET = 107
"""Characters of the longest path that a Unix socket may have (unix(7): 108 bytes with the closing zero)."""
RAY_SOCKET = "/ray/session_2026-01-01_00-00-00_000000_4194304/sockets/plasma_store"
"""The longest one that Ray makes below its temporary folder; process ids have up to 7 digits."""
RANDOM = 8
"""Characters that `mkdtemp` adds to a name."""
SHORT = ("/tmp", "/var/tmp", "/dev/shm")  # noqa: S108  (mkdtemp makes a folder there private)
"""Where a temporary folder is made when the user's own would make paths too long: the first that can be written to."""


class Guarded:
    """A command and all that it starts, alive until `stop` is called or this process ends, in whatever way."""

    def __init__(
        self,
        marker: str,
        temporary: Path,
        log: Path,
        command: list[str],
        env: Mapping[str, str],
        *,
        network: Literal["own", "shared"] = "shared",
    ) -> None:
        """Start it in the folder `temporary`, which goes when it ends; its output goes to `log`. Raises OSError.

        `network`: a network of its own, in which nobody else is, or the machine's.
        """
        self.marker = marker
        self.temporary = temporary
        self.network = network
        words = [
            sys.executable,
            "-P",
            "-m",
            "ftbench.run.processes.guardian",
            marker,
            str(temporary),
            str(log),
            network,
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
    return Path(tempfile.mkdtemp(prefix=_prefix(marker), dir=_base(marker)))


def _base(marker: str) -> str:
    own = os.path.realpath(tempfile.gettempdir())  # Ray follows links before it adds to a path
    room = LONGEST_SOCKET - len(RAY_SOCKET) - len("/" + _prefix(marker)) - RANDOM
    if len(os.fsencode(own)) <= room:
        return own
    return next((base for base in SHORT if os.access(base, os.W_OK | os.X_OK)), own)


def clear_leftovers(marker: str) -> list[int]:
    """End processes and remove temporary folders of an earlier start of the same run that was killed.

    Returns the ids of processes that could not be ended.
    """
    left = tree.end(marker) + tree.end(tree.beside(marker))
    for base in sorted({os.path.realpath(tempfile.gettempdir()), *SHORT}):
        for folder in Path(base).glob(_prefix(marker) + "*"):
            if not folder.is_symlink() and folder.stat().st_uid == os.getuid():
                shutil.rmtree(folder, ignore_errors=True)
    return left


def _prefix(marker: str) -> str:
    return f"ftb-{marker[:8]}-"
