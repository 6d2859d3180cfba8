"""A worker of ours that never outlives whoever started it, however that ends."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
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


def end_in_order_with_stdin(seconds: float) -> None:
    """From now on end this process as SIGTERM does when standard input is closed: whoever started it is gone.

    So what it holds goes and what it began is ended, temporary folders among it. It has so many seconds for that; then
    it is ended at once, and what it began ends with it. What it starts meanwhile does not read its standard input.
    """
    held = os.dup(0)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)

    def wait() -> None:
        while os.read(held, 4096):
            pass
        # To the main thread: what that waits in is interrupted.
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGTERM)
        time.sleep(seconds)
        os._exit(3)

    threading.Thread(target=wait, daemon=True).start()
