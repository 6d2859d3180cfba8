"""The default engine: Flower's Simulation Engine on a private SuperLink that is started and stopped here."""

from __future__ import annotations

import math
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from ftbench import codes
from ftbench.diagnostics import Diagnostic, Place
from ftbench.errors import RunFailed
from ftbench.run.ending import RESUME, cause, log_tail, settle
from ftbench.run.engines.engine import TrainJob
from ftbench.run.engines.flower_commands import COMMAND_SECONDS, Status, same_fab
from ftbench.run.engines.flower_link import SuperLink
from ftbench.run.processes.tail import LedgerTail
from ftbench.run.processes.watch import MARGIN, Watchdog

POLL_SECONDS = 0.2
START_SECONDS = 120.0
"""Longest wait for the process that carries out a run."""
SETTLE_SECONDS = 20.0
"""Longest wait for Flower to know how a run ended, after its process is gone."""
OVER_SECONDS = 60.0
"""Longest wait for Flower to end a run whose ledger has its last line: a client that hangs holds Ray up for ever."""
LOG_BYTES = 2**20
LOG_FILES = 40


class FlowerSimulation:
    """Carries out a job with `flwr run` on a SuperLink of its own."""

    name: Literal["flower-simulation"] = "flower-simulation"

    def train(self, job: TrainJob, on_tick: Callable[[], None]) -> None:
        """See `Engine.train`. What counts is Flower's own status and then the ledger, never an exit status."""
        link = SuperLink(job, on_tick)
        try:
            status = self._carry_out(link, job, on_tick)
        except BaseException:
            _keep_ray_logs(link.temporary, job.logs)
            raise
        finally:
            link.stop()
        if status.state == "finished:completed":
            settle(job.run_dir)
            return
        settle(job.run_dir, self._failure(status, job))
        if status.ended:  # and not only held up by a client that hangs
            raise RunFailed(self._failure(status, job))

    def _carry_out(self, link: SuperLink, job: TrainJob, on_tick: Callable[[], None]) -> Status:
        job.say("Flower's app, until the SuperLink has taken it")
        run_id, short_hash = link.submit()
        same_fab(short_hash, job)
        job.say("Ray and the ServerApp, until both have loaded PyTorch and the data are checked")
        watchdog = Watchdog(job.run_dir, job.round_timeout + MARGIN)
        self._follow(link, job, watchdog, on_tick)
        keeper = link.flower.keep_log(run_id)
        try:
            status = self._ended(link, run_id, on_tick)
        finally:
            link.flower.wait(keeper, COMMAND_SECONDS)
        same_fab(status.fab_hash, job, whole=True)
        if status.state != "finished:completed":
            _keep_ray_logs(link.temporary, job.logs)
        return status

    def _follow(self, link: SuperLink, job: TrainJob, watchdog: Watchdog, on_tick: Callable[[], None]) -> None:
        """Return when the run seems to have ended: Flower's status then says whether and how it did."""
        ledger = LedgerTail(job.run_dir / "ledger.jsonl")
        ledger.read()  # what an earlier start wrote says nothing about this one
        began, over = time.monotonic(), math.inf
        seen = False
        while True:
            on_tick()
            link.check_alive()
            link.check_alone()
            watchdog.check()
            alive = link.simulating()
            if (seen and not alive) or link.said_finished():
                return
            seen = seen or alive
            if not seen and time.monotonic() - began > START_SECONDS:
                return  # never seen: Flower's status tells why
            if ledger.ended():
                over = time.monotonic()
            if time.monotonic() - over > OVER_SECONDS:
                return
            time.sleep(POLL_SECONDS)

    def _ended(self, link: SuperLink, run_id: str, on_tick: Callable[[], None]) -> Status:
        until = time.monotonic() + SETTLE_SECONDS
        while True:
            status = link.flower.status(run_id)
            if status.ended or time.monotonic() > until:
                return status
            on_tick()

    def _failure(self, status: Status, job: TrainJob) -> Diagnostic:
        log = job.logs / "flower.log"
        said = status.details or "its process ended without saying why"
        return Diagnostic(
            codes.FLOWER_FAILED,
            f"Flower's status is {status.state}: {said}{cause(log)}",
            Place(str(log)),
            hint=f"{RESUME.format(job.run_dir)}. The log ends: {log_tail(log)}",
        )


def _keep_ray_logs(temporary: Path, logs: Path) -> None:
    """Copy the ends of Ray's logs out of the temporary folder, for whoever looks for the cause of a failure."""
    found = sorted(temporary.glob("ray/session_2*/logs/*"))
    kept = [path for path in found if path.is_file() and path.stat().st_size][:LOG_FILES]
    if not kept:
        return
    target = logs / "ray"
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    for path in kept:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - LOG_BYTES))
            (target / path.name).write_bytes(file.read())
