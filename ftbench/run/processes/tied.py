"""A worker of ours that never outlives whoever started it, however that ends."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path


def run_tied(command: Sequence[str], log: Path, env: Mapping[str, str], cwd: Path | None = None) -> int:
    """Run a worker to its end; its exit status. All that it says goes to `log`, written anew.

    Its standard input is held open for as long as this process lives, and the worker ends itself when that is closed
    (`end_with_stdin`): so it does after a SIGKILL here too. Whatever is raised here, none is left: only then may the
    caller remove what it writes into. Raises OSError.
    """
    with log.open("wb") as out:
        process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
            list(command),
            stdin=subprocess.PIPE,
            stdout=out,
            stderr=subprocess.STDOUT,
            cwd=cwd,
            env=dict(env),
            start_new_session=True,  # Ctrl-C is ours to handle
        )
        try:
            return process.wait()
        finally:
            process.kill()
            process.wait()
            if process.stdin is not None:
                process.stdin.close()
