"""Training what a run is compared with: on the pooled rows, on each client's rows alone, and without the spec's faults.

The compiled app itself does it, with the benchmark's rounds, local steps and learning rates, nothing charged as
communication, and one virtual client; without faults it is the federation itself. Each reference leaves a ledger and an
adapter of its own in `references/<name>/` of the run.
"""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

from ftbench.result.documents import Finished
from ftbench.result.references import CENTRALISED, FAULT_FREE, LOCAL
from ftbench.run.ending import settle
from ftbench.run.engines.engine import RunConfig, TrainJob
from ftbench.run.engines.inline import TICK_SECONDS, end, failure, launch
from ftbench.run.processes.tail import LedgerTail
from ftbench.run.processes.watch import MARGIN, Watchdog

FOLDER = "references"
LOG_NAME = "references.log"


def folder_of(run_dir: Path, name: str) -> Path:
    """Where a reference of a run lies: its ledger, state files and adapter."""
    return run_dir / FOLDER / name


def config_of(job: TrainJob, name: str) -> RunConfig:
    """The app's run config for a reference. Raises ValueError for another name."""
    folder = folder_of(job.run_dir, name)
    config: RunConfig = {**job.run_config, "run-dir": str(folder), "resume": (folder / "ledger.jsonl").exists()}
    if name == CENTRALISED:
        return {**config, "reference": "centralised"}
    if name == FAULT_FREE:
        return {**config, "reference": "fault-free"}
    if name.startswith(LOCAL) and name.removeprefix(LOCAL).isdecimal():
        return {**config, "reference": "local", "reference-client": int(name.removeprefix(LOCAL))}
    raise ValueError(f"no reference is called {name!r}")


def clients_of(job: TrainJob, name: str) -> int:
    """Clients of a reference: all of the federation's without faults, else a virtual one."""
    return job.clients if name == FAULT_FREE else 1


def trained(run_dir: Path, name: str) -> bool:
    """Whether the reference is whole."""
    folder = folder_of(run_dir, name)
    lines = LedgerTail(folder / "ledger.jsonl").read()
    return bool(lines) and isinstance(lines[-1].body, Finished) and (folder / "adapter").is_dir()


def train_references(job: TrainJob, names: Sequence[str], on_tick: Callable[[], None]) -> None:
    """Train those of these references that are not whole, one after another in one process of the inline engine.

    `job` is that of the run itself. What was begun goes on after its last round. Raises as `Engine.train`.
    """
    due = [name for name in names if not trained(job.run_dir, name)]
    if not due:
        return
    for name in due:
        folder_of(job.run_dir, name).mkdir(parents=True, exist_ok=True)
        (folder_of(job.run_dir, name) / "error.json").unlink(missing_ok=True)
    log = job.logs / LOG_NAME
    runs = [(config_of(job, name), clients_of(job, name)) for name in due]
    process = launch(job.compiled, runs, log, job.marker, job.workers)
    at = 0
    watchdog = _watchdog(job, due[0])
    try:
        while process.poll() is None:
            on_tick()
            while at + 1 < len(due) and trained(job.run_dir, due[at]):
                at += 1
                watchdog = _watchdog(job, due[at])
            watchdog.check()
            _wait(process)
    finally:
        end(process)
    for name in due:
        folder = folder_of(job.run_dir, name)
        settle(folder, failure(process.returncode, job.run_dir, log) if process.returncode else None)


def _watchdog(job: TrainJob, name: str) -> Watchdog:
    # Clients run one after another here, and a reply counts as in time whenever it comes.
    limit = clients_of(job, name) * job.round_timeout + MARGIN
    return Watchdog(folder_of(job.run_dir, name), limit, run_dir=job.run_dir)


def _wait(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(TICK_SECONDS)
