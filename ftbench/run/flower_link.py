"""A private SuperLink and Flower's own command line to talk to it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ftbench.diagnostics import Diagnostic, Place
from ftbench.errors import FtbenchError, MissingResource, RunFailed
from ftbench.run import codes, processes
from ftbench.run.ending import log_tail
from ftbench.run.engine import RunConfig, TrainJob
from ftbench.run.guarded import Guarded, temporary_folder
from ftbench.run.tail import Tail

HOST = "127.0.0.1"
CONNECTION = "sim"
SIMULATION = "flwr-simulation"
"""Name of the process in which the ServerApp runs and which owns Ray."""
FINISHED = b"Finished task "
START_TRIES = 3
START_SECONDS = 90.0
COMMAND_SECONDS = 180.0

Tick = Callable[[], None]


@dataclass(frozen=True, slots=True)
class Status:
    """What Flower says about a run."""

    state: str
    """`pending`, `starting`, `running` or `finished:completed|failed|stopped`."""
    details: str
    fab_hash: str


class SuperLink:
    """A SuperLink of our own on a free port of the loopback interface, with a fresh FLWR_HOME."""

    def __init__(self, job: TrainJob, tick: Tick) -> None:
        """Start it and wait until it answers. Raises MissingResource, RunFailed (FTB521); nothing is left then."""
        self.job = job
        self._tick = tick
        self._bin = _bin()
        self._log_tail = Tail(self.log, skip=True)
        self._finished = False
        for attempt in range(START_TRIES):
            self.port = _free_port()
            self.temporary = temporary_folder(job.marker)
            self.env = self._environment()
            self._guarded = Guarded(job.marker, self.temporary, self.log, self._command(), self.env)
            try:
                if self._answers():
                    self._write_config()
                    return
            except BaseException:
                self.stop()
                raise
            self.stop()
            if attempt + 1 == START_TRIES:
                break  # another program may have taken the port in between: the other tries take another one
        hint = f"see {self.log}: {log_tail(self.log)}"
        raise RunFailed(Diagnostic(codes.NO_SUPERLINK, "Flower's SuperLink did not start", Place(str(self.log)), hint))

    @property
    def log(self) -> Path:
        """Its log."""
        return self.job.logs / "superlink.log"

    def submit(self) -> tuple[str, str]:
        """`flwr run`: returns the run's id and the first digits of the FAB hash. Raises RunFailed (FTB522)."""
        overrides = self.temporary / "run-config.toml"
        overrides.write_text(toml(self.job.run_config), encoding="utf-8")
        workers = max(1, self.job.workers)
        federation = (
            f"num-supernodes={self.job.clients} client-resources-num-cpus=1 client-resources-num-gpus=0.0 "
            f"init-args-num-cpus={workers}"
        )
        answer = self._json(
            "run",
            str(self.job.compiled / "app"),
            CONNECTION,
            "--run-config",
            str(overrides),
            "--federation-config",
            federation,
        )
        if not answer.get("success") or not answer.get("run-id"):
            raise self._refused("run", json.dumps(answer)[:2000])
        return str(answer["run-id"]), str(answer.get("fab-hash", ""))

    def status(self, run_id: str) -> Status:
        """`flwr list`: what Flower says about the run. Raises RunFailed (FTB522)."""
        answer = self._json("list", CONNECTION, "--run-id", run_id)
        for run in answer.get("runs", []):
            if str(run.get("run-id")) == run_id:
                details = str(run.get("status-details") or run.get("details") or "")
                return Status(str(run["status"]), details, str(run.get("fab-hash", "")))
        raise self._refused("list", json.dumps(answer)[:2000])

    def keep_log(self, run_id: str) -> subprocess.Popen[bytes]:
        """`flwr log`: write what server and clients printed to `logs/flower.log`; to be waited for."""
        with (self.job.logs / "flower.log").open("ab") as out:
            return self._start(["log", run_id, CONNECTION, "--show"], out.fileno())

    def simulating(self) -> bool:
        """Whether the process that carries out the run is alive."""
        import psutil

        try:
            below = psutil.Process(self._guarded.pid).children(recursive=True)
        except psutil.Error:
            return False
        for process in below:
            try:
                # An ended one stays a zombie: the SuperLink never collects it.
                named = any(word.endswith(SIMULATION) for word in process.cmdline()[:3])
                if named and process.status() != psutil.STATUS_ZOMBIE:
                    return True
            except psutil.Error:
                continue
        return False

    def said_finished(self) -> bool:
        """Whether the SuperLink's log tells of a finished task: a hint to ask for the status some seconds earlier."""
        self._finished = self._finished or any(FINISHED in line for line in self._log_tail.lines())
        return self._finished

    def check_alive(self) -> None:
        """Raise RunFailed (FTB526) if the SuperLink ended."""
        if not self._guarded.alive():
            hint = f"see {self.log}: {log_tail(self.log)}"
            raise RunFailed(
                Diagnostic(codes.SUPERLINK_DIED, "the SuperLink ended by itself", Place(str(self.log)), hint)
            )

    def wait(self, process: subprocess.Popen[bytes], seconds: float) -> int:
        """Wait for a command while ticking; kills it and raises RunFailed (FTB522) when it takes too long."""
        until = time.monotonic() + seconds
        try:
            while True:
                try:
                    return process.wait(timeout=0.1)
                except subprocess.TimeoutExpired:
                    self._tick()
                    if time.monotonic() > until:
                        raise self._refused("command", f"no answer within {seconds:.0f} s") from None
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()

    def stop(self) -> None:
        """End it and everything that it started, and remove its temporary folder. Raises RunFailed (FTB527)."""
        left = self._guarded.stop()
        if left:
            raise RunFailed(Diagnostic(codes.LEFTOVERS, f"these processes could not be ended: {left}"))

    def _command(self) -> list[str]:
        options = ["--insecure", "--simulation", "--disable-runtime-dependency-installation"]
        return [str(self._bin / "flower-superlink"), *options, "--host", HOST, "--port", str(self.port)]

    def _environment(self) -> dict[str, str]:
        env = processes.environment(self.job.marker)
        return env | {
            "PATH": f"{self._bin}{os.pathsep}{env.get('PATH', os.defpath)}",
            "FLWR_HOME": str(self.temporary / "flwr"),
            "FLWR_TELEMETRY_ENABLED": "0",
            "FLWR_DISABLE_UPDATE_CHECK": "1",
            "RAY_TMPDIR": str(self.temporary),
            "TMPDIR": str(self.temporary),
            "RAY_USAGE_STATS_ENABLED": "0",
            # Whatever its name says: Ray then listens on the loopback interface only.
            "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
            # Idle workers started in advance lack the clients' environment and would only take their time.
            "RAY_prestart_worker_first_driver": "0",
            "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
        }

    def _answers(self) -> bool:
        """Wait until our own SuperLink, not another, listens on the port; False if it ended or takes too long."""
        until = time.monotonic() + START_SECONDS
        while self._guarded.alive() and time.monotonic() < until:
            with socket.socket() as probe:
                probe.settimeout(0.5)
                if probe.connect_ex((HOST, self.port)) == 0 and self._ours():
                    return True
            self._tick()
            time.sleep(0.05)
        return False

    def _ours(self) -> bool:
        import psutil

        try:
            for process in psutil.Process(self._guarded.pid).children(recursive=True):
                for connection in process.net_connections(kind="tcp"):
                    if connection.status == psutil.CONN_LISTEN and connection.laddr.port == self.port:
                        return True
        except psutil.Error:
            return False
        return False

    def _write_config(self) -> None:
        home = self.temporary / "flwr"
        home.mkdir(exist_ok=True)
        text = f'[superlink]\ndefault = "{CONNECTION}"\n\n[superlink.{CONNECTION}]\n'
        text += f'address = "{HOST}:{self.port}"\ninsecure = true\n'
        (home / "config.toml").write_text(text, encoding="utf-8")

    def _json(self, *words: str) -> dict[str, Any]:
        answer = self.temporary / "answer.json"
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
                [str(self._bin / "flwr"), *words],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=errors,
                env=self.env,
                cwd=self.temporary,
                start_new_session=True,
            )

    def _refused(self, command: str, said: str) -> FtbenchError:
        place = Place(str(self.job.compiled / "app"))
        return RunFailed(Diagnostic(codes.REFUSED, f"`flwr {command}` did not succeed", place, hint=said))


def toml(config: RunConfig) -> str:
    """A run config as TOML: dotted keys, scalars."""
    return "".join(f"{key} = {_scalar(value)}\n" for key, value in sorted(config.items()))


def _scalar(value: str | int | float | bool) -> str:
    if isinstance(value, str):
        # JSON's escapes are TOML's; TOML also wants the delete character escaped.
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return json.dumps(value, allow_nan=False)


def _bin() -> Path:
    """Where the commands lie that belong to this Python."""
    folder = Path(sys.executable).parent
    for name in ("flower-superlink", "flwr", SIMULATION):
        if not (folder / name).is_file():
            hint = 'install ftbench with its `run` extra: pip install "ftbench[run]"'
            raise MissingResource(Diagnostic(codes.NO_FLOWER, f"no command `{name}`", Place(str(folder)), hint))
    return folder


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])
