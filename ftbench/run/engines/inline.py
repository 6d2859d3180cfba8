"""The inline engine: the compiled app in one process of its own, its clients in turn or in processes made of it.

For tests, debugging and replay. It ends at the same adapter as Flower's simulation.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Literal

from ftbench import builtin, codes
from ftbench.diagnostics import Diagnostic, Place
from ftbench.run.ending import RESUME, cause, log_tail, settle
from ftbench.run.engines.engine import RunConfig, TrainJob
from ftbench.run.processes.tree import environment
from ftbench.run.processes.watch import MARGIN, Watchdog

TICK_SECONDS = 0.2
GRACE_SECONDS = 5.0
LOG_NAME = "inline.log"


def launch(
    compiled: Path,
    runs: Sequence[tuple[RunConfig, int]],
    log: Path,
    marker: str = "",
    processes: int = 1,
    *,
    more: Mapping[str, str] | None = None,
) -> subprocess.Popen[bytes]:
    """Start the app of a compiled benchmark in a process of its own, its output going to the end of `log`.

    `runs`: run config and number of clients of each run that it carries out, one after another, until one fails.
    `processes`: clients of a round that train at once. `more`: environment variables beyond ours.

    The process ends by itself when the returned object's standard input is closed, so also when its starter is killed.
    What it was given stays beside the log, as `inline.json`, for whoever wants to start it by hand.
    """
    given = log.with_suffix(".json")
    listed = [{"run_config": config, "clients": clients, "processes": processes} for config, clients in runs]
    given.write_text(json.dumps({"runs": listed}, indent=2, sort_keys=True))
    package_root = str(builtin.PACKAGE.parent)
    # -P: what lies in the working folder must not be imported in place of what is installed.
    command = [
        sys.executable,
        "-P",
        "-m",
        "ftbench.run.engines.inline_worker",
        str(compiled / "app"),
        str(given),
        "--guarded",
    ]
    ours = {"PYTHONPATH": package_root, "FLWR_TELEMETRY_ENABLED": "0", "FLWR_DISABLE_UPDATE_CHECK": "1"}
    with log.open("ab") as out:
        return subprocess.Popen(  # noqa: S603  (a list, from our own engine)
            command,
            stdin=subprocess.PIPE,
            stdout=out,
            stderr=subprocess.STDOUT,
            cwd=compiled,
            env=environment(marker) | ours | dict(more or {}),
            start_new_session=True,  # Ctrl-C in a terminal reaches us only, and we stop it in order
        )


class InlineEngine:
    """Carries out a job in one process and those made of it."""

    name: Literal["inline"] = "inline"

    def train(self, job: TrainJob, on_tick: Callable[[], None]) -> None:
        """See `Engine.train`."""
        (job.run_dir / "error.json").unlink(missing_ok=True)
        log = job.logs / LOG_NAME
        # Clients may run one after another here, and a reply counts as in time whenever it comes.
        watchdog = Watchdog(job.run_dir, job.clients * job.round_timeout + MARGIN)
        job.say("the app in a process of its own, until it has loaded PyTorch and the data are checked")
        process = launch(job.compiled, [(job.run_config, job.clients)], log, job.marker, job.workers, more=job.more)
        try:
            while process.poll() is None:
                on_tick()
                watchdog.check()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(TICK_SECONDS)
        finally:
            end(process)
        settle(job.run_dir, failure(process.returncode, job.run_dir, log) if process.returncode else None)


def end(process: subprocess.Popen[bytes]) -> None:
    """Leave no process behind: closing its input asks it to end, killing makes it."""
    if process.stdin is not None:
        with contextlib.suppress(OSError):
            process.stdin.close()
    try:
        process.wait(GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def failure(status: int, run_dir: Path, log: Path) -> Diagnostic:
    """How the process ended whose run in `run_dir` did not finish."""
    how = f"was killed by signal {-status}" if status < 0 else f"ended with status {status}"
    return Diagnostic(
        codes.NOT_FINISHED,
        f"the process that trained {how}{cause(log)}",
        Place(str(log)),
        hint=f"{RESUME.format(run_dir)}. The log ends: {log_tail(log)}",
    )
