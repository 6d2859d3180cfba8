"""Who reaches a run: nobody from outside its network; where it has none, only who was let in, and a second app ends it.

The intruders are real: another user of the machine (nobody, 65534) who tries what worked once. Without root nobody can
become another user; then only the parts that need none are tried, and the others say so.
"""

from __future__ import annotations

import encodings.idna  # noqa: F401  (nobody may not be able to read it when it is first needed)
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from flower_world import make_job

from ftbench.errors import MissingResource, RunFailed
from ftbench.run.engines import flower_link, private
from ftbench.run.engines.flower import FlowerSimulation
from ftbench.run.processes import network, tree
from ftbench.run.processes.guarded import Guarded, temporary_folder
from ftbench.run.processes.network import LISTENING

NOBODY = 65534
LISTENER = """
import socket, sys, time
listener = socket.socket(); listener.bind(("127.0.0.1", int(sys.argv[1]))); listener.listen()
abstract = socket.socket(socket.AF_UNIX); abstract.bind(b"\\0ftbench-test"); abstract.listen()
time.sleep(600)
"""

OVERWRITE = """
import sys
from ray._raylet import GcsClient
GcsClient(address=sys.argv[1]).internal_kv_put(b"ftbench-test", b"overwritten", True, None, timeout=10)
print("done")
"""

linux = pytest.mark.skipif(bool(network.why_not()), reason=f"no network namespaces here: {network.why_not()}")
another_user = pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")


class Seen(Exception):
    """Ends a run when everything has been tried."""


def as_nobody(attempt: Callable[[], object]) -> str:
    """What becomes of an attempt by another user: `done`, or the exception's name and text."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
            attempt()
            said = "done"
        except BaseException as error:
            said = f"{type(error).__name__}: {error}"
        os.write(writer, said.encode()[:4000])
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as file:
        said = file.read()
    os.waitpid(child, 0)
    return said


def connect(port: int) -> None:
    socket.create_connection(("127.0.0.1", port), timeout=5).close()


def listening(pid: int | str) -> set[int]:
    """TCP ports that somebody listens on in the network of a process."""
    found = set()
    for name in ("tcp", "tcp6"):
        lines = Path(f"/proc/{pid}/net/{name}").read_text().splitlines()[1:]
        found |= {int(w[1].rpartition(":")[2], 16) for w in map(str.split, lines) if w[3] == LISTENING}
    return found


def abstract(pid: int | str) -> set[str]:
    """Abstract Unix sockets in the network of a process."""
    return {line.split()[-1] for line in Path(f"/proc/{pid}/net/unix").read_text().splitlines()[1:] if " @" in line}


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


@linux
def test_what_listens_inside_is_not_reached_from_outside(tmp_path: Path) -> None:
    marker = f"{tree.new_token()}-test"
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    words = [sys.executable, "-c", LISTENER, str(port)]
    log, env = tmp_path / "log", tree.environment(marker)
    guard = Guarded(marker, temporary_folder(marker), log, words, env, network="own")
    try:
        until(lambda: network.listens(guard.pid, port) and "@ftbench-test" in abstract(guard.pid))
        with pytest.raises(ConnectionRefusedError):
            connect(port)
        assert "@ftbench-test" not in abstract("self")
        ask = f"import socket; socket.create_connection(('127.0.0.1', {port})).close(); print('reached')"
        done = subprocess.run(
            [*network.inside(guard.pid), sys.executable, "-c", ask], capture_output=True, text=True, check=False
        )
        assert done.stdout == "reached\n", done.stderr
        if os.getuid() == 0:
            assert as_nobody(lambda: network.join(guard.pid)).startswith("PermissionError")
    finally:
        assert guard.stop() == []


def test_where_there_is_none_the_default_engine_opens_no_port(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "why_not", lambda: "")
    assert private.default_engine() == "flower-simulation"
    private.check_private(allowed=False)
    monkeypatch.setattr(network, "why_not", lambda: "closed")
    assert private.default_engine() == "inline"
    private.check_private(allowed=True)
    with pytest.raises(MissingResource, match=r"FTB532.*closed.*\n?.*--engine inline.*--allow-local-users"):
        private.check_private(allowed=False)


@linux
@pytest.mark.skipif(os.getuid() != 0, reason="what is forbidden here is forbidden as root of a namespace")
def test_why_not_says_why(tmp_path: Path) -> None:
    script = f"echo 0 > /proc/sys/user/max_net_namespaces; exec {sys.executable} -P {network.__file__}"
    words = ["unshare", "--user", "--map-root-user", "sh", "-c", script]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "ENOSPC" in done.stderr


@pytest.mark.slow
@pytest.mark.e2e
@linux
@another_user
def test_nobody_reaches_a_run(tmp_path: Path) -> None:
    """Neither its SuperLink nor Ray, whatever they listen on, nor their files."""
    job = make_job(tmp_path, "hang")
    outside = Path("/proc/self/ns/net").stat().st_ino
    seen: dict[int, str] = {}

    def tick() -> None:
        if not (job.run_dir / "waiting").exists():
            return
        of_all = {one.name(): Path(f"/proc/{one.pid}/ns/net").stat().st_ino for one in tree.marked(job.marker)}
        assert len(of_all) > 4 and outside not in of_all.values(), of_all  # so nothing of it listens outside
        niceness = {one.name(): one.nice() for one in tree.marked(job.marker)}
        assert set(niceness.values()) == {os.nice(0)}, niceness  # Ray's own default is 15, for its workers
        (gcs,) = [one for one in tree.marked(job.marker) if "gcs_server" in one.name()]
        inside = listening(gcs.pid)
        assert len(inside) >= 3  # the SuperLink, Ray's GCS and raylet at least
        seen.update({port: as_nobody(lambda port=port: connect(port)) for port in sorted(inside)})  # type: ignore[misc]
        seen[0] = as_nobody(lambda: network.join(gcs.pid))
        (folder,) = Path(tempfile.gettempdir()).glob(f"ftb-{job.marker[:8]}-*")
        seen[-1] = as_nobody(lambda: sorted(folder.iterdir()))
        raise Seen

    with pytest.raises(Seen):
        FlowerSimulation().train(job, tick)
    assert seen.pop(0).startswith("PermissionError") and seen.pop(-1).startswith("PermissionError")
    assert {what.partition(":")[0] for what in seen.values()} == {"ConnectionRefusedError"}
    assert tree.marked(job.marker) == []


@pytest.mark.slow
@pytest.mark.e2e
def test_in_the_machines_network_ray_wants_the_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What overwrote an actor's class once: Ray's GCS, without the token and with a wrong one."""
    monkeypatch.setattr(network, "why_not", lambda: "closed for this test")
    job = make_job(tmp_path, "hang")
    seen: list[str] = []

    def tick() -> None:
        if not (job.run_dir / "waiting").exists():
            return
        (raylet,) = [one for one in tree.marked(job.marker) if one.name() == "raylet"]
        address = next(w.partition("=")[2] for w in raylet.cmdline() if w.startswith("--gcs-address="))
        token = raylet.environ()["RAY_AUTH_TOKEN"]
        for given in ("", "0" * 64, token):  # who somebody is does not matter on TCP, only what he says
            with_token = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": given}
            env = {**os.environ, **(with_token if given else {"RAY_AUTH_MODE": "disabled"})}
            words = [sys.executable, "-c", OVERWRITE, address]
            done = subprocess.run(words, env=env, capture_output=True, text=True, check=False)
            seen.append(done.stdout or done.stderr)
        raise Seen

    with pytest.raises(Seen):
        FlowerSimulation().train(job, tick)
    without, wrong, right = seen
    assert right == "done\n"  # so the two others were refused for want of the token
    assert "AuthenticationError" in without and "AuthenticationError" in wrong, seen


@pytest.mark.slow
@pytest.mark.e2e
def test_a_second_app_ends_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the machine's network anybody may submit: the run that was first says so and ends."""
    monkeypatch.setattr(network, "why_not", lambda: "closed for this test")
    (tmp_path / "first").mkdir()
    (tmp_path / "second").mkdir()
    job, other = make_job(tmp_path / "first", "hang"), make_job(tmp_path / "second", "hang")
    submitted = []

    def tick() -> None:
        if submitted or not (job.run_dir / "waiting").exists():
            return
        links = [one for one in tree.marked(job.marker) if any("flower-superlink" in word for word in one.cmdline())]
        words = links[0].cmdline()
        port = words[words.index("--port") + 1]
        if os.getuid() == 0:
            assert as_nobody(lambda: connect(int(port))) == "done"
        home = tmp_path / "home"
        home.mkdir()
        (home / "config.toml").write_text(
            f'[superlink]\ndefault = "it"\n[superlink.it]\naddress = "127.0.0.1:{port}"\ninsecure = true\n'
        )
        command = [str(flower_link.commands() / "flwr"), "run", str(other.compiled / "app"), "it"]
        done = subprocess.run(
            command, env={**os.environ, "FLWR_HOME": str(home)}, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        submitted.append(True)

    with pytest.raises(RunFailed, match="FTB533"):
        FlowerSimulation().train(replace(job, round_timeout=60.0), tick)
    assert submitted
    assert tree.marked(job.marker) == [] and psutil.Process().children() == []
