"""A private SuperLink, started and stopped here."""

from __future__ import annotations

import os
import secrets
import socket
import time
from pathlib import Path

from ftbench import codes
from ftbench.diagnostics import Diagnostic, Place
from ftbench.errors import RunFailed
from ftbench.run.ending import cause, log_tail
from ftbench.run.engines.engine import TrainJob
from ftbench.run.engines.flower_commands import SIMULATION, Flower, Tick, commands
from ftbench.run.processes import network, tree
from ftbench.run.processes.guarded import Guarded, temporary_folder
from ftbench.run.processes.tail import Tail

HOST = "127.0.0.1"
CONNECTION = "sim"
FINISHED, CREATED = b"Finished task ", b"Created run "
"""What the SuperLink's log says of a task, and of a run."""
START_TRIES = 3
START_SECONDS = 90.0


class SuperLink:
    """A SuperLink of our own on a port of the loopback interface, with a fresh FLWR_HOME.

    In a network of its own, where the machine gives one: nobody else reaches it then. In the machine's network anybody
    on the machine does, so that a run there must be allowed, and a second run on it ends ours.
    """

    def __init__(self, job: TrainJob, tick: Tick) -> None:
        """Start it and wait until it answers. Raises MissingResource, RunFailed (FTB521); nothing is left then."""
        self.job = job
        self._tick = tick
        self._bin = commands()
        self._log_tail = Tail(self.log, skip=True)
        self._finished, self._created = False, 0
        self._own = not network.why_not()
        job.say("Flower's SuperLink, until it listens")
        for attempt in range(START_TRIES):
            self.port = _free_port()
            self.temporary = temporary_folder(job.marker)
            self.env = self._environment()
            self._guarded = Guarded(
                job.marker,
                self.temporary,
                self.log,
                self._command(),
                self.env,
                network="own" if self._own else "shared",
            )
            try:
                if self._answers():
                    self._write_config()
                    before = network.inside(self._guarded.pid) if self._own else []
                    self.flower = Flower(job, CONNECTION, env=self.env, folder=self.temporary, tick=tick, before=before)
                    return
            except BaseException:
                self.stop()
                raise
            self.stop()
            if attempt + 1 == START_TRIES:
                break  # another program may have taken the port in between: the other tries take another one
        hint = f"see {self.log}: {log_tail(self.log)}"
        message = f"Flower's SuperLink did not start{cause(self.log)}"
        raise RunFailed(Diagnostic(codes.NO_SUPERLINK, message, Place(str(self.log)), hint))

    @property
    def log(self) -> Path:
        """Its log."""
        return self.job.logs / "superlink.log"

    def submit(self) -> tuple[str, str]:
        """`flwr run`: returns the run's id and the first digits of the FAB hash. Raises RunFailed (FTB522)."""
        return self.flower.submit(federation(self.job))

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
        self._read_log()
        return self._finished

    def _read_log(self) -> None:
        for line in self._log_tail.lines():
            self._finished = self._finished or FINISHED in line
            self._created += CREATED in line

    def check_alone(self) -> None:
        """Raise RunFailed (FTB533) if somebody else has submitted a run."""
        self._read_log()
        if self._created > 1:
            hint = f"the run was ended. Look who else is on this machine; {self.log} says when it came"
            message = "another app was submitted to this run's SuperLink"
            raise RunFailed(Diagnostic(codes.INTRUDED, message, Place(str(self.log)), hint))

    def check_alive(self) -> None:
        """Raise RunFailed (FTB526) if the SuperLink ended."""
        if not self._guarded.alive():
            hint = f"see {self.log}: {log_tail(self.log)}"
            raise RunFailed(
                Diagnostic(codes.SUPERLINK_DIED, "the SuperLink ended by itself", Place(str(self.log)), hint)
            )

    def stop(self) -> None:
        """End it and everything that it started, and remove its temporary folder. Raises RunFailed (FTB527)."""
        left = self._guarded.stop()
        if left:
            raise RunFailed(Diagnostic(codes.LEFTOVERS, f"these processes could not be ended: {left}"))

    def _command(self) -> list[str]:
        options = ["--insecure", "--simulation", "--disable-runtime-dependency-installation"]
        return [str(self._bin / "flower-superlink"), *options, "--host", HOST, "--port", str(self.port)]

    def _environment(self) -> dict[str, str]:
        env = tree.environment(self.job.marker)
        return (
            env
            | dict(self.job.more)
            | {
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
                # Ray runs its workers at nice 15: beside anything else, training would get next to nothing.
                "RAY_worker_niceness": "0",
                "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
                # Who may read our environment is who we are; nobody else can say the token.
                "RAY_AUTH_MODE": "token",
                "RAY_AUTH_TOKEN": secrets.token_hex(32),
            }
        )

    def _answers(self) -> bool:
        """Wait until our own SuperLink, not another, listens on the port; False if it ended or takes too long."""
        until = time.monotonic() + START_SECONDS
        while self._guarded.alive() and time.monotonic() < until:
            if network.listens(self._guarded.pid, self.port) if self._own else self._listens():
                return True
            self._tick()
            time.sleep(0.05)
        return False

    def _listens(self) -> bool:
        import psutil

        with socket.socket() as probe:
            probe.settimeout(0.5)
            if probe.connect_ex((HOST, self.port)) != 0:
                return False

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


def federation(job: TrainJob) -> str:
    """The simulation's settings as `flwr run --federation-config` takes them."""
    workers = max(1, job.workers)
    settings = {
        "num-supernodes": job.clients,
        "client-resources-num-cpus": job.client_cpus,
        "client-resources-num-gpus": job.client_gpus,
        # Ray starts an actor for every `num-cpus` of these, as far as the devices go.
        "init-args-num-cpus": workers * job.client_cpus,
    }
    if job.gpus:
        settings["init-args-num-gpus"] = job.gpus
    return " ".join(f"{name}={value}" for name, value in settings.items())


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])
