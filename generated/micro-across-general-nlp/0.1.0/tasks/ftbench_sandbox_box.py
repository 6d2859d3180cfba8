"""Commands in bubblewrap: started, fed, watched against their limits and ended, one alone or several joined by pipes.

Read by `ftbench_sandbox`.
"""

from __future__ import annotations

import contextlib
import functools
import json
import math
import os
import platform
import runpy
import secrets
import selectors
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PATH = "/usr/bin:/usr/local/bin:/bin"
"""Where tools are looked for: nothing outside /usr is visible to a program."""
ENVIRONMENT = {"PATH": PATH, "HOME": "/tmp", "LANG": "C.UTF-8", "TZ": "UTC", "PYTHONHASHSEED": "0"}  # noqa: S108
# A package that makes a thread for every core of a large machine would pass the limit on processes.
ENVIRONMENT |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
MIB = 1 << 20
TAIL = 4096
"""Bytes of standard output, standard error and verdict that are kept: the last ones."""
ARTEFACT = 64 * MIB
"""Largest compiled program, and largest file that a program may write."""
TMP = 64 * MIB
"""Size of the sandbox's only writable folder, in memory, beside the files that are laid in it."""
PROCESSES = 48
"""Processes and threads; node alone has about a dozen threads."""
PACKAGES = "/packages"
"""Where packages of Python stand in a sandbox."""
TOOLS = {"python3": "python3", "node": "nodejs", "g++": "g++", "bwrap": "bubblewrap", "prlimit": "util-linux"}
"""Tool → Debian package."""


class Unavailable(Exception):
    """Nothing was run: no sandbox, no toolchain, or a job that says nothing sensible. The message is why."""


@dataclass(frozen=True)
class Limits:
    """What one command may use. `cpu` in seconds over all its processes, memory in MiB, address space in bytes."""

    cpu: float
    memory: int
    space: int | None = None

    @property
    def wall(self) -> float:
        """Seconds on the clock, a backstop for sleepers only: a busy machine must not fail a program."""
        return 10 * self.cpu + 10


@dataclass
class Ended:
    """How a command ended. `exit_code` is None where the sandbox itself failed or the command was stopped."""

    exit_code: int | None = None
    stopped: str = ""
    cpu: float = 0.0
    channel: bytes = b""
    stdout: bytes = b""
    stderr: bytes = b""


@dataclass(frozen=True)
class Command:
    """A command, what it gets on standard input, the files that it finds in its folder, how many bytes of its
    standard output are kept, folders of packages that it may read (name → path), and descriptors that it inherits."""

    words: list[str]
    limits: Limits
    stdin: bytes = b""
    files: Mapping[str, bytes] = field(default_factory=dict)
    kept: int = TAIL
    packages: Mapping[str, str] = field(default_factory=dict)
    descriptors: tuple[int, ...] = ()


@functools.cache
def _beside(part: str) -> dict[str, Any]:
    return runpy.run_path(str(Path(__file__).with_name(f"ftbench_sandbox_{part}.py")))


def tool(name: str) -> str:
    """Path of a tool under /usr. Raises Unavailable with the package that has it."""
    found = shutil.which(name, path=PATH)
    if found is None:
        raise Unavailable(f"{name} is not installed under /usr (Debian: apt-get install {TOOLS.get(name, name)})")
    return found


def execute(command: Command, *, sandboxed: bool) -> Ended:
    """Run one command to its end. Nothing of it is left afterwards."""
    return converse([command], sandboxed=sandboxed)[0]


def converse(commands: list[Command], *, sandboxed: bool, verdict: tuple[int, int] | None = None) -> list[Ended]:
    """Run commands side by side until the last of them has ended, or one has passed a limit: then all are stopped.

    All `descriptors` are closed here once every command has its own, so that whoever waits at a pipe sees its end.
    `verdict` is a pipe's two ends; what the last command writes there is its `channel`.
    """
    theirs = {number for command in commands for number in command.descriptors}
    boxes: list[_Box] = []
    with contextlib.ExitStack() as stack:
        try:
            for command in commands:
                last = command is commands[-1]
                boxes.append(stack.enter_context(_Box(command, verdict[0] if verdict and last else None, sandboxed)))
        finally:
            for number in theirs:
                os.close(number)
        _watch(boxes)
    return [box.ended for box in boxes]


class _Box:
    """One command that runs, what it has said so far, and how it is going."""

    def __init__(self, command: Command, channel: int | None, sandboxed: bool) -> None:
        self.command, self.sandboxed, self.ended = command, sandboxed, Ended()
        self.first: int | None = None
        self.stack = contextlib.ExitStack()
        with contextlib.ExitStack() as failed:
            failed.callback(self.stack.close)
            self._start(channel)
            failed.pop_all()

    def _start(self, channel: int | None) -> None:
        command, stack = self.command, self.stack
        status, status_end = os.pipe()
        stack.callback(os.close, status)
        words = _limited(command.words, command.limits, sandboxed=self.sandboxed)
        user, folder, extra = _unprivileged(), "/", list(command.descriptors)
        environment = ENVIRONMENT
        with contextlib.ExitStack() as ours:
            ours.callback(os.close, status_end)
            if self.sandboxed:
                files = {name: _memory_file(ours, data) for name, data in command.files.items()}
                seccomp = _memory_file(ours, _beside("seccomp")["seccomp_filter"](platform.machine()))
                words = _bubblewrap(words, files, command.packages, seccomp, status_end)
                extra += [status_end, seccomp, *files.values()]
            else:
                folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="ftbench-", ignore_cleanup_errors=True))
                environment = ENVIRONMENT | {"HOME": folder}
                _lay(Path(folder), command, user)
                words = [word.replace(PACKAGES, f"{folder}{PACKAGES}") for word in words]
            self.process = subprocess.Popen(  # noqa: S603
                words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=folder, bufsize=0,
                env=environment, pass_fds=extra, start_new_session=True, **user,
            )  # fmt: skip
        stack.callback(self._close)
        assert self.process.stdin and self.process.stdout and self.process.stderr
        self.into, self.feed, self.status = self.process.stdin.fileno(), command.stdin, status
        self.out, self.err, self.channel = self.process.stdout.fileno(), self.process.stderr.fileno(), channel
        sources = [self.out, self.err, status] + ([] if channel is None else [channel])
        self.said = {descriptor: bytearray() for descriptor in sources}
        os.set_blocking(self.into, False)
        self.gone = stack.enter_context(_beside("processes")["Watched"](self.process.pid)).descriptor
        self.last_gone: Any = None

    def __enter__(self) -> _Box:
        return self

    def __exit__(self, *_: object) -> None:
        self.stack.close()

    def _close(self) -> None:
        _kill(self.process)
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            with contextlib.suppress(OSError):
                stream.close()  # type: ignore[union-attr]

    def bound(self, descriptor: int) -> int:
        return self.command.kept if descriptor == self.out else TAIL

    def drain(self, descriptor: int) -> bool:
        """Read some of what it says; what lies beyond the bounds is thrown away. False where there is no more."""
        data, said = os.read(descriptor, 1 << 16), self.said[descriptor]
        said += data
        if len(said) > self.bound(descriptor) + MIB:
            del said[: -self.bound(descriptor)]
        if descriptor == self.status and self.first is None:
            self.first = _reported(bytes(said), "child-pid")
            if self.first is not None:
                self.last_gone = self.stack.enter_context(_beside("processes")["Watched"](self.first))
        return bool(data)

    def give(self) -> bool:
        """Feed some of its input. False where there is no more to feed."""
        try:
            self.feed = self.feed[os.write(self.into, self.feed) :] if self.feed else b""
        except BrokenPipeError:
            self.feed = b""
        return bool(self.feed)

    def over(self, deadline: float) -> bool:
        """Whether it has passed a limit."""
        seconds, resident = _beside("processes")["usage"](self.process.pid)
        self.ended.cpu = max(self.ended.cpu, seconds)
        if self.ended.cpu > self.command.limits.cpu or time.monotonic() > deadline:
            self.ended.stopped = "timeout"
        elif resident > (self.command.limits.memory + 128) * MIB:
            self.ended.stopped = "memory"
        return bool(self.ended.stopped)

    def finish(self) -> None:
        """End it where it has not ended, and take what is still in the pipes, a MiB at most of each."""
        _kill(self.process)
        if self.last_gone is not None:  # the sandbox's first process ends after all its others: nothing runs on
            self.last_gone.wait(seconds=10)
        for descriptor in self.said:  # who else holds them open is not waited for
            os.set_blocking(descriptor, False)
            with contextlib.suppress(BlockingIOError):
                all(self.drain(descriptor) for _ in range(MIB >> 16))
        ended, last = self.ended, {d: bytes(said[-self.bound(d) :]) for d, said in self.said.items()}
        ended.stdout, ended.stderr = last[self.out], last[self.err]
        ended.channel = b"" if self.channel is None else last[self.channel]
        if self.sandboxed:  # bubblewrap reports the exit code only where it got as far as running the command
            ended.exit_code = None if ended.stopped else _reported(last[self.status], "exit-code")
        elif not ended.stopped:
            code = self.process.returncode
            ended.exit_code = code if code >= 0 else 128 - code


def _watch(boxes: list[_Box]) -> None:
    """Feed and drain until all have ended or one passes a limit."""
    deadline = time.monotonic() + sum(box.command.limits.wall for box in boxes)
    whose: dict[int, _Box] = {}
    with selectors.DefaultSelector() as selector:
        for box in boxes:
            for descriptor in (*box.said, box.gone):
                selector.register(descriptor, selectors.EVENT_READ)
                whose[descriptor] = box
            selector.register(box.into, selectors.EVENT_WRITE)
            whose[box.into] = box
        running, pause, sampled = len(boxes), 0.005, time.monotonic()
        while running:
            for key, _ in selector.select(max(0.0, sampled + pause - time.monotonic())):
                descriptor = int(key.fd)
                box = whose[descriptor]
                if descriptor == box.into:
                    if not box.give():
                        selector.unregister(descriptor)
                        del whose[descriptor]
                        box.process.stdin.close()  # type: ignore[union-attr]
                elif descriptor == box.gone:
                    selector.unregister(descriptor)
                    running -= 1
                elif not box.drain(descriptor):
                    selector.unregister(descriptor)
            if running and time.monotonic() >= sampled + pause:
                if sum(box.over(deadline) for box in boxes):  # every one is measured
                    break
                sampled, pause = time.monotonic(), min(0.1, pause * 1.5)
        for box in boxes:
            box.finish()


def _kill(process: subprocess.Popen[bytes]) -> None:
    """The sandbox dies with its first process, whatever signals its others ignore. That one is killed by itself too:
    it has not yet asked to die with bubblewrap where bubblewrap is killed while it still sets things up."""
    if process.returncode is not None:  # waited for: its number may be another's by now
        return
    for child in _beside("processes")["children"](process.pid):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(child, signal.SIGKILL)
    with contextlib.suppress(ProcessLookupError, PermissionError):  # without the sandbox it leads a group of its own
        os.killpg(process.pid, signal.SIGKILL)
    process.kill()
    process.wait()


def _reported(lines: bytes, key: str) -> int | None:
    """What bubblewrap has told of itself: `child-pid`, once it has one, and `exit-code`, where the command ended."""
    for line in lines.splitlines():
        with contextlib.suppress(ValueError):
            value = json.loads(line).get(key)
            if value is not None:
                return int(value)
    return None


def _unprivileged() -> dict[str, Any]:
    """The user that a program runs as. Root's processes are exempt from RLIMIT_NPROC, so root gives itself up for a
    user number that nobody else has, another one for each program; 65534 where a container maps no such numbers."""
    if os.geteuid() != 0:
        return {}
    uid = 0x60000000 + secrets.randbelow(1 << 24)
    spans = [tuple(map(int, line.split())) for line in Path("/proc/self/uid_map").read_text().splitlines()]
    if not any(first <= uid < first + count for first, _, count in spans):
        uid = 65534
    return {"user": uid, "group": uid, "extra_groups": []}


def _limited(words: list[str], limits: Limits, *, sandboxed: bool) -> list[str]:
    """The command with its limits, set inside the sandbox so that processes are counted per sandbox, not per user."""
    seconds, memory = math.ceil(limits.cpu) + 1, limits.memory * MIB
    space = memory if limits.space is None else limits.space
    settings = {"cpu": seconds, "as": space, "fsize": ARTEFACT, "nofile": 128, "core": 0, "stack": 8 * MIB}
    if limits.space is not None:
        settings["data"] = memory + 512 * MIB  # thread stacks and code count too
    if sandboxed or os.geteuid() == 0:
        settings["nproc"] = PROCESSES
    return [tool("prlimit"), *(f"--{name}={value}" for name, value in settings.items()), "--", *words]


def _lay(folder: Path, command: Command, user: Mapping[str, Any]) -> None:
    """The files of a command that runs without a sandbox, in a folder of its own."""
    for name, data in command.files.items():
        (folder / name).write_bytes(data)
        (folder / name).chmod(0o755)
    for name in ("", *command.files) if user else ():
        os.chown(folder / name, user["user"], user["group"])
    if command.packages:
        (folder / PACKAGES[1:]).mkdir()
    for name, path in command.packages.items():
        (folder / PACKAGES[1:] / name).symlink_to(path)


def _bubblewrap(
    words: list[str], files: Mapping[str, int], packages: Mapping[str, str], seccomp: int, status: int
) -> list[str]:
    """The whole of what a program sees: /usr read-only, packages, a small /tmp of its own, four devices, no /proc."""
    command = [tool("bwrap"), "--unshare-user", "--unshare-all", "--disable-userns", "--die-with-parent"]
    command += ["--new-session", "--clearenv", "--uid", "65534", "--gid", "65534", "--cap-drop", "ALL"]
    command += ["--hostname", "sandbox", "--json-status-fd", str(status), "--seccomp", str(seccomp)]
    command += ["--ro-bind", "/usr", "/usr"]
    for name in ("bin", "lib", "lib32", "lib64", "sbin"):
        path = Path("/", name)
        if path.is_symlink():
            command += ["--symlink", str(path.readlink()), str(path)]
        elif path.is_dir():
            command += ["--ro-bind", str(path), str(path)]
    for name in ("/etc/ld.so.cache", "/etc/alternatives"):
        command += ["--ro-bind-try", name, name]
    for name in ("/dev/null", "/dev/zero", "/dev/random", "/dev/urandom"):
        command += ["--dev-bind", name, name]
    for name, at in packages.items():
        command += ["--ro-bind", at, f"{PACKAGES}/{name}"]
    command += ["--perms", "0700", "--size", str(TMP), "--tmpfs", "/tmp", "--symlink", "/tmp", "/dev/shm"]  # noqa: S108
    for name, descriptor in files.items():
        command += ["--perms", "0755", "--file", str(descriptor), f"/tmp/{name}"]  # noqa: S108
    for key, value in ENVIRONMENT.items():
        command += ["--setenv", key, value]
    # The root folder is memory too, without a size: nothing may be written there.
    return [*command, "--remount-ro", "/", "--chdir", "/tmp", "--", *words]  # noqa: S108


def _memory_file(stack: contextlib.ExitStack, data: bytes) -> int:
    descriptor = os.memfd_create("ftbench")
    stack.callback(os.close, descriptor)
    with open(descriptor, "wb", closefd=False) as file:
        file.write(data)
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor


@contextlib.contextmanager
def pipes(count: int) -> Iterator[list[tuple[int, int]]]:
    """So many pipes as pairs of reading and writing end. Whoever uses them closes all but the last's reading end."""
    made: list[tuple[int, int]] = []
    try:
        for _ in range(count):
            made.append(os.pipe())
        yield made
    finally:
        if made:
            os.close(made[-1][0])
