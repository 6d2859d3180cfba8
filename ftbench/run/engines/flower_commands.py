"""Flower's own command line: submit a run, ask how it stands, stop it, keep its log."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ftbench import codes
from ftbench.diagnostics import Diagnostic, Place
from ftbench.errors import FtbenchError, InvalidInput, MissingResource, RunFailed
from ftbench.run.engines.engine import RunConfig, TrainJob

SIMULATION = "flwr-simulation"
"""Name of the process in which a simulation's ServerApp runs and which owns Ray."""
COMMAND_SECONDS = 180.0
UNKNOWN, OVER = "[code: 16]", "[code: 18]"
"""In Flower's answers: there is no such run; it has ended already."""

Tick = Callable[[], None]


@dataclass(frozen=True, slots=True)
class Status:
    """What Flower says about a run."""

    state: str
    """`pending`, `starting`, `running` or `finished:completed|failed|stopped`."""
    details: str
    fab_hash: str

    @property
    def ended(self) -> bool:
        """Whether the run is over, in whatever way."""
        return self.state.startswith("finished")


class UnknownRun(RunFailed):
    """The SuperLink knows of no such run: it was started anew without its database."""


class Flower:
    """The command `flwr` with one connection to a SuperLink."""

    def __init__(
        self,
        job: TrainJob,
        connection: str,
        *,
        env: Mapping[str, str],
        folder: Path,
        tick: Tick,
        before: Sequence[str] = (),
    ) -> None:
        """`connection` stands in the config.toml of `env`'s FLWR_HOME; `folder` is for files of our own.

        `before`: what comes before the command, so that it is carried out where the SuperLink is reached.
        """
        self.job = job
        self.connection = connection
        self._env = env
        self._before = list(before)
        self._folder = folder
        self.tick = tick
        """Called about ten times a second while a command is waited for."""
        self._bin = commands()

    def submit(self, federation: str = "") -> tuple[str, str]:
        """`flwr run`: returns the run's id and the first digits of the FAB hash. Raises RunFailed (FTB522).

        `federation`: settings of a simulation.
        """
        overrides = self._folder / "run-config.toml"
        with self._folder_there():
            overrides.write_text(toml(self.job.run_config), encoding="utf-8")
        more = ["--federation-config", federation] if federation else []
        app = str(self.job.compiled / "app")
        answer = self._json("run", app, self.connection, "--run-config", str(overrides), *more)
        if not answer.get("success") or not answer.get("run-id"):
            raise self._refused("run", _said(answer))
        return str(answer["run-id"]), str(answer.get("fab-hash", ""))

    def status(self, run_id: str) -> Status:
        """`flwr list`: what Flower says about the run. Raises UnknownRun, RunFailed (FTB522)."""
        answer = self._json("list", self.connection, "--run-id", run_id)
        for run in answer.get("runs", []):
            if str(run.get("run-id")) == run_id:
                details = str(run.get("status-details") or run.get("details") or "")
                return Status(str(run["status"]), details, str(run.get("fab-hash", "")))
        raise self._refused("list", _said(answer))

    def stop(self, run_id: str) -> None:
        """`flwr stop`: the ServerApp itself ends some seconds later; a run that is over stays so.

        Raises UnknownRun, RunFailed (FTB522).
        """
        answer = self._json("stop", run_id, self.connection)
        if not answer.get("success") and OVER not in _said(answer):
            raise self._refused("stop", _said(answer))

    def keep_log(self, run_id: str) -> subprocess.Popen[bytes]:
        """`flwr log`: write what server and clients printed to `logs/flower.log`; to be waited for."""
        with self._folder_there(), (self.job.logs / "flower.log").open("ab") as out:
            return self._start(["log", run_id, self.connection, "--show"], out.fileno())

    def wait(self, process: subprocess.Popen[bytes], seconds: float) -> int:
        """Wait for a command while ticking; kills it and raises RunFailed (FTB522) when it takes too long."""
        until = time.monotonic() + seconds
        try:
            while True:
                try:
                    return process.wait(timeout=0.1)
                except subprocess.TimeoutExpired:
                    self.tick()
                    if time.monotonic() > until:
                        raise self._refused("command", f"no answer within {seconds:.0f} s") from None
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()

    def _json(self, *words: str) -> dict[str, Any]:
        answer = self._folder / "answer.json"
        with self._folder_there():
            with answer.open("wb") as out:
                process = self._start([*words, "--format", "json"], out.fileno())
            status = self.wait(process, COMMAND_SECONDS)
            text = answer.read_text(encoding="utf-8", errors="replace")
        try:
            value = json.loads(text)
        except ValueError:
            value = None
        if not isinstance(value, dict):
            raise self._refused(words[0], f"exit status {status}: {text.strip()[:2000]}")
        return value

    def _start(self, words: list[str], out: int) -> subprocess.Popen[bytes]:
        with (self.job.logs / "flwr-commands.log").open("ab") as errors:
            return subprocess.Popen(  # noqa: S603  (a list, from ourselves)
                [*self._before, str(self._bin / "flwr"), *words],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=errors,
                env=self._env,
                cwd=self._folder,
                start_new_session=True,
            )

    @contextlib.contextmanager
    def _folder_there(self) -> Iterator[None]:
        """A guardian whose SuperLink ended takes the folder away, at any moment. Raises RunFailed (FTB526)."""
        try:
            yield
        except FileNotFoundError:
            if self._folder.is_dir():
                raise
            hint = f"see the logs in {self.job.logs}"
            message = "the SuperLink ended by itself, and its folder went with it"
            raise RunFailed(Diagnostic(codes.SUPERLINK_DIED, message, Place(str(self._folder)), hint)) from None

    def _refused(self, command: str, said: str) -> FtbenchError:
        place = Place(str(self.job.compiled / "app"))
        error = UnknownRun if UNKNOWN in said else RunFailed
        return error(Diagnostic(codes.REFUSED, f"`flwr {command}` did not succeed", place, hint=said))


def _said(answer: Mapping[str, Any]) -> str:
    """What an answer says when it is no success, in Flower's own words where it has any."""
    return str(answer.get("error-message") or json.dumps(answer))[:2000]


def toml(config: RunConfig) -> str:
    """A run config as TOML: dotted keys, scalars."""
    return "".join(f"{key} = {_scalar(value)}\n" for key, value in sorted(config.items()))


def _scalar(value: str | int | float | bool) -> str:
    if isinstance(value, str):
        # JSON's escapes are TOML's; TOML also wants the delete character escaped.
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return json.dumps(value, allow_nan=False)


def commands() -> Path:
    """Where the commands lie that belong to this Python. Raises MissingResource (FTB520)."""
    folder = Path(sys.executable).parent
    for name in ("flower-superlink", "flwr", SIMULATION):
        if not (folder / name).is_file():
            hint = 'install ftbench with its `run` extra: pip install "ftbench[run]"'
            raise MissingResource(Diagnostic(codes.NO_FLOWER, f"no command `{name}`", Place(str(folder)), hint))
    return folder


def same_fab(found: str, job: TrainJob, *, whole: bool = False) -> None:
    """Raise InvalidInput (FTB523) unless Flower runs the app bundle that the lock names."""
    same = found == job.fab_hash if whole else job.fab_hash.startswith(found)
    if job.fab_hash and (not same or not found):
        raise InvalidInput(
            Diagnostic(
                codes.OTHER_FAB,
                f"Flower ran the app bundle {found or 'without a hash'}, the lock says {job.fab_hash}",
                Place(str(job.compiled / "app")),
                hint="something changed the compiled benchmark: `ftbench compile` it again and start a new run",
            )
        )
