"""The engine past one machine: the compiled app on a SuperLink and SuperNodes that the user has set up.

Nothing is started here but `flwr` and, where the SuperLink leaves ServerApps to whoever holds its secret, the run's own
ServerApp (`flower_here`). Else that runs where the SuperLink does and writes ledger and state there, so the run folder
must be reachable under the same path on both machines; whether it is shows by `error.json`, which the app takes away
when it starts. A start that was killed leaves a run that goes on by itself: its id stands in the run
folder, and the next start stops it.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from ftbench import codes
from ftbench.atomic import write_file
from ftbench.diagnostics import Diagnostic, Place
from ftbench.errors import RunFailed
from ftbench.run.ending import RESUME, log_tail, read_app_error, settle
from ftbench.run.engines import flower_connection
from ftbench.run.engines.engine import TrainJob
from ftbench.run.engines.flower_commands import COMMAND_SECONDS, Flower, Status, UnknownRun, same_fab
from ftbench.run.engines.flower_here import ServerAppHere
from ftbench.run.processes.guarded import temporary_folder
from ftbench.run.processes.tail import LedgerTail
from ftbench.run.processes.watch import MARGIN, Watchdog

POLL_SECONDS = 0.2
STATUS_SECONDS = 10.0
"""Between two questions how the run stands; each costs about a second of a core."""
LAST_SECONDS = 1.0
"""The same, once the app seems to have ended."""
REACH_SECONDS = 180.0
"""Longest time from `running` until the app has touched the run folder; it imports PyTorch first."""
STOP_SECONDS = 60.0
"""Longest wait for a run that was stopped to be over."""
SILENCES = 6
"""Failed questions in a row after which the SuperLink counts as gone."""
NOTE = "flower-run.json"
"""File of the run folder that names the run on the SuperLink for as long as it may go on."""


class FlowerDeployment:
    """Carries out a job with `flwr run` on the SuperLink that the job names."""

    name: Literal["flower-deployment"] = "flower-deployment"

    def train(self, job: TrainJob, on_tick: Callable[[], None]) -> None:
        """See `Engine.train`. What counts is what the app leaves in the run folder, then Flower's status."""
        flower_connection.check_connection(job.superlink)
        env = flower_connection.environment(job.marker)
        with contextlib.ExitStack() as stack:
            folder = temporary_folder(job.marker)
            stack.callback(shutil.rmtree, folder, ignore_errors=True)
            flower = Flower(job, job.superlink, env=env, folder=folder, tick=on_tick)
            here = None
            if job.secret:
                where = Path(job.secret)
                here = ServerAppHere(job.superlink, where, logs=job.logs, folder=folder, env=env, say=job.say)
                stack.callback(here.close)
            job.say(f"the app on {job.superlink}, until its ServerApp has the run's folder")
            stop_earlier(flower, job.run_dir)
            _promise(job.run_dir)
            try:
                status = self._carry_out(flower, job, on_tick, here)
                if _promised(job.run_dir):
                    raise RunFailed(_unreached(job, status))
            finally:
                _take_back(job.run_dir)
        if status.state != "finished:completed":
            settle(job.run_dir, _failure(status, job))
            raise RunFailed(_failure(status, job))
        settle(job.run_dir)

    def _carry_out(
        self, flower: Flower, job: TrainJob, on_tick: Callable[[], None], here: ServerAppHere | None
    ) -> Status:
        run_id, short_hash = flower.submit()
        note = {"superlink": flower.connection, "run-id": run_id}
        write_file(job.run_dir / NOTE, json.dumps(note).encode() + b"\n")
        try:
            same_fab(short_hash, job)
            status = self._follow(flower, run_id, job, on_tick, here)
        except BaseException:
            # Ctrl-C, the watchdog, a listener's error: nobody follows the run any more, so it must not go on.
            flower.tick = _no_tick
            stop_earlier(flower, job.run_dir)
            _keep_log(flower, run_id)
            raise
        (job.run_dir / NOTE).unlink(missing_ok=True)
        _keep_log(flower, run_id)
        same_fab(status.fab_hash, job, whole=True)
        return status

    def _follow(
        self, flower: Flower, run_id: str, job: TrainJob, on_tick: Callable[[], None], here: ServerAppHere | None
    ) -> Status:
        """Return when Flower says that the run is over."""
        watchdog = Watchdog(job.run_dir, job.round_timeout + MARGIN)
        ledger = LedgerTail(job.run_dir / "ledger.jsonl")
        ledger.read()  # what an earlier start wrote says nothing about this one
        since: float | None = None
        asked, silent, ending = time.monotonic(), 0, False
        while True:
            on_tick()
            watchdog.check()
            if here is not None:
                here.look(run_id)
            ending = ending or _ending(ledger, job.run_dir)
            if time.monotonic() - asked < (LAST_SECONDS if ending else STATUS_SECONDS):
                time.sleep(POLL_SECONDS)
                continue
            try:
                status, silent = flower.status(run_id), 0
            except RunFailed as error:
                silent += 1
                if silent >= SILENCES or isinstance(error, UnknownRun):
                    raise _gone(job, error) from error
                status = None
            asked = time.monotonic()
            if status is None:
                continue
            if status.ended:
                return status
            since = since or (asked if status.state == "running" else None)
            if since and asked - since > REACH_SECONDS and _promised(job.run_dir):
                raise RunFailed(_unreached(job, status))


def stop_earlier(flower: Flower, run_dir: Path) -> None:
    """Stop the run that the folder's note names, wait until Flower says that it is over, and remove the note.

    A run that the SuperLink does not know has ended with an earlier SuperLink. Raises RunFailed (FTB530) where it may
    go on.
    """
    try:
        run_id = str(json.loads((run_dir / NOTE).read_bytes())["run-id"])
    except (OSError, ValueError, KeyError, TypeError):
        return
    until = time.monotonic() + STOP_SECONDS
    while True:
        try:
            flower.stop(run_id)
            if flower.status(run_id).ended:
                break
        except UnknownRun:
            break
        except RunFailed as error:
            if time.monotonic() > until:
                raise _goes_on(run_id, flower.connection, run_dir, error) from error
        if time.monotonic() > until:
            raise _goes_on(run_id, flower.connection, run_dir)
        time.sleep(POLL_SECONDS)
    (run_dir / NOTE).unlink(missing_ok=True)


# --- whether the app sees the run folder --------------------------------------------------------------------------


def _promise(run_dir: Path) -> None:
    """Put down what the app removes as its first act: still there, the app is elsewhere or never began."""
    said = {"code": codes.UNREACHED, "message": "the app has not touched this folder yet", "hint": ""}
    write_file(run_dir / "error.json", json.dumps(said).encode() + b"\n")


def _promised(run_dir: Path) -> bool:
    found = read_app_error(run_dir)
    return found is not None and found.diagnostics[0].code == codes.UNREACHED


def _take_back(run_dir: Path) -> None:
    if _promised(run_dir):
        (run_dir / "error.json").unlink(missing_ok=True)


def _ending(ledger: LedgerTail, run_dir: Path) -> bool:
    """Whether the app seems to have ended, by what it left."""
    return ledger.ended() or (read_app_error(run_dir) is not None and not _promised(run_dir))


# --- endings ------------------------------------------------------------------------------------------------------


def _failure(status: Status, job: TrainJob) -> Diagnostic:
    log = job.logs / "flower.log"
    return Diagnostic(
        codes.FLOWER_FAILED,
        f"Flower's status is {status.state}: {status.details}",
        Place(str(log)),
        hint=f"{RESUME.format(job.run_dir)}. The log ends: {log_tail(log)}",
    )


def _unreached(job: TrainJob, status: Status) -> Diagnostic:
    return Diagnostic(
        codes.UNREACHED,
        f"the ServerApp never touched the run's folder (Flower's status is {status.state}: {status.details})",
        Place(str(job.run_dir)),
        hint="it runs on the SuperLink's machine, which must have ftbench's packages, and this folder under the same "
        f"path, writable: choose `--out` on a disk that both share. The log ends: {log_tail(job.logs / 'flower.log')}",
    )


def _gone(job: TrainJob, error: RunFailed) -> RunFailed:
    said = error.diagnostics[0].hint
    message = f"the SuperLink of the connection `{job.superlink}` does not answer for the run any more"
    hint = f"once it is back, {RESUME.format(job.run_dir)}. It said: {said}"
    return RunFailed(Diagnostic(codes.SUPERLINK_DIED, message, Place(str(job.run_dir)), hint))


def _goes_on(run_id: str, connection: str, run_dir: Path, error: RunFailed | None = None) -> RunFailed:
    said = f" It said: {error.diagnostics[0].hint}" if error else ""
    message = f"run {run_id} of this folder may still go on at the SuperLink `{connection}`"
    hint = f"stop it by hand: flwr stop {run_id} {connection}.{said}"
    return RunFailed(Diagnostic(codes.GOES_ON, message, Place(str(run_dir)), hint))


def _keep_log(flower: Flower, run_id: str) -> None:
    with contextlib.suppress(RunFailed):  # it is for people; the run has ended without it
        flower.wait(flower.keep_log(run_id), COMMAND_SECONDS)


def _no_tick() -> None:
    pass
