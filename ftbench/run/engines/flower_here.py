"""The ServerApp of a deployment, started here: run folder and store stay on this machine, and nobody shares a disk.

A SuperLink that was started with `--isolation process` and a secret runs no app itself. Whoever holds the secret may
take a run's task from it; then Flower's own `flwr-serverapp` carries the app out here and talks to the SuperLink, over
TLS, as any client of it does. A task of somebody else's run is taken and left lying: nobody else's app is run here.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ftbench import codes
from ftbench.diagnostics import Diagnostic, Place
from ftbench.errors import MissingResource, RunFailed
from ftbench.run.engines.flower_commands import commands

ACQUIRE = "/flwr.proto.Runtime/AcquireTask"
SERVER_APP = "flwr-serverapp"
END_SECONDS = 20.0
LOOK_SECONDS = 1.0
"""Between two questions for the run's task."""
LOG = "serverapp.log"


@dataclass(frozen=True)
class Address:
    """A SuperLink as the user's Flower configuration names it."""

    superlink: str
    certificates: Path | None
    """None: the connection is not encrypted."""


def address(config: Mapping[str, Any]) -> Address:
    """Where a connection of Flower's configuration leads."""
    insecure = bool(config.get("insecure", False))
    certificates = str(config.get("root-certificates", ""))
    return Address(str(config["address"]), None if insecure or not certificates else Path(certificates).expanduser())


def connection(name: str) -> Mapping[str, Any]:
    """A connection of the user's Flower configuration, which `flower_connection` has checked."""
    path = Path(os.environ.get("FLWR_HOME") or Path.home() / ".flwr") / "config.toml"
    found: Mapping[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))["superlink"][name]
    return found


class ServerAppHere:
    """Takes the task of one run and carries it out, once."""

    def __init__(
        self, name: str, secret: Path, *, logs: Path, folder: Path, env: Mapping[str, str], say: Callable[[str], None]
    ) -> None:
        """`folder`: for files of its own. Raises MissingResource (FTB517) for a secret that cannot be read."""
        try:
            self._secret = secret.read_bytes()
        except OSError as error:
            hint = "it is the file with which the SuperLink was started: --superexec-auth-secret-file"
            message = f"the SuperLink's secret cannot be read: {error.strerror}"
            raise MissingResource(Diagnostic(codes.NO_SECRET, message, Place(str(secret)), hint)) from error
        self._address = address(connection(name))
        self._logs = logs
        self._say = say
        self._folder = folder
        self._env = {**env, "FLWR_HOME": str(folder / "flwr")}
        self._next = 0.0
        self._process: subprocess.Popen[bytes] | None = None

    def look(self, run_id: str) -> None:
        """Start the ServerApp of that run if its task is there. Raises RunFailed (FTB517): the secret is refused."""
        if self._process is not None or time.monotonic() < self._next:
            return
        self._next = time.monotonic() + LOOK_SECONDS
        task, token = self._acquire()
        if not token:
            return
        if str(task.run_id) != run_id:
            self._say(f"run {task.run_id} of somebody else waits at the SuperLink; its app is not carried out here")
            return
        file = self._folder / "token"
        file.touch(mode=0o600)
        file.write_text(token, encoding="ascii")
        words = [str(commands() / SERVER_APP), "--runtime-api-address", self._address.superlink]
        words += ["--token-file", str(file), "--parent-pid", str(os.getpid())]
        where = self._address.certificates
        words += ["--insecure"] if where is None else ["--root-certificates", str(where)]
        with (self._logs / LOG).open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603  (a list, from ourselves)
                words, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self._env, start_new_session=True
            )

    def close(self) -> None:
        """End the ServerApp where it still runs."""
        if self._process is None:
            return
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=END_SECONDS)
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    def _acquire(self) -> tuple[Any, str]:
        """A task that waits at the SuperLink, and the token for it; empty where none does."""
        import httpx
        from flwr.proto.runtime_pb2 import AcquireTaskRequest
        from flwr.supercore.constant import TaskType
        from flwr.supercore.interceptors import RuntimeVersionHttpInterceptor, SuperExecAuthHttpInterceptor
        from flwr.supercore.runtime import RuntimeHttpClient

        where = self._address.certificates
        client = RuntimeHttpClient.from_server_address(
            server_address=self._address.superlink,
            insecure=where is None,
            root_certificates=None if where is None else where.read_bytes(),
            interceptors=[
                RuntimeVersionHttpInterceptor(component_name="SuperExec"),
                SuperExecAuthHttpInterceptor(master_secret=self._secret, protected_methods=frozenset({ACQUIRE})),
            ],
        )
        try:
            found = client.AcquireTask(AcquireTaskRequest(supported_task_types=[TaskType.SERVER_APP]))
        except httpx.HTTPStatusError as error:
            if error.response.status_code not in (401, 403):
                return None, ""  # whether the SuperLink is gone is found by who asks how the run stands
            hint = "start the SuperLink with --isolation process and --superexec-auth-secret-file, and give that file"
            message = "the SuperLink lets no ServerApp begin with this secret"
            raise RunFailed(Diagnostic(codes.NO_SECRET, message, hint=hint)) from error
        except httpx.HTTPError:
            return None, ""
        finally:
            client.close()
        return found.task, found.token if found.HasField("task") else ""
