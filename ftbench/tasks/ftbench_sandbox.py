"""The sandbox for generated programs: does a program pass its tests, without the machine taking harm.

It is copied beside the task files of every compiled benchmark, so it uses nothing but the standard library. As a
script it reads one JSON job a line and writes one JSON outcome a line, in the same order:

    {"language": "python" | "javascript" | "cpp", "program": "...", "tests": "...",
     "cpu_seconds": 3.0, "memory_mib": 512, "id": ..., "unsafe": false}        (the last four may be left out)
    {"passed": false, "status": "no-token", "phase": "run", "exit_code": 0, "signal": null, "cpu_seconds": 0.01, ...}

A pass needs exit status 0 and a token, drawn for this one program, that the driver hands over on a descriptor of its
own after the last test. `docs/sandbox.md` says how each driver keeps the token from the program and what it can't stop.
"""

from __future__ import annotations

import argparse
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
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PATH = "/usr/bin:/usr/local/bin:/bin"
"""Where tools are looked for: nothing outside /usr is visible to a program."""

ENVIRONMENT = {"PATH": PATH, "HOME": "/tmp", "LANG": "C.UTF-8", "TZ": "UTC", "PYTHONHASHSEED": "0"}  # noqa: S108
MIB = 1 << 20
TAIL = 4096
"""Bytes of standard output and standard error that are kept: the last ones."""
ARTEFACT = 64 * MIB
"""Largest compiled program, and largest file that a program may write."""
TMP = 64 * MIB
"""Size of the sandbox's only writable folder, in memory."""
PROCESSES = 48
"""Processes and threads; node alone has about a dozen threads."""
NODE_SPACE = 64 << 30
"""Address space for node, which reserves far more than it uses; RLIMIT_DATA binds it instead."""

DEFAULT_CPU = {"python": 3.0, "javascript": 5.0, "cpp": 15.0}
"""CPU seconds of a run, all its processes together; the wall limits that are usual elsewhere."""
MACHINES = ("x86_64", "aarch64")
TOOLS = {"python": "python3", "javascript": "node", "cpp": "g++"}
PACKAGES = {"python3": "python3", "node": "nodejs", "g++": "g++", "bwrap": "bubblewrap", "prlimit": "util-linux"}


class Unavailable(Exception):
    """The program was not run: no sandbox, no toolchain, or a job that says nothing sensible. The message is why."""


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


COMPILE = Limits(cpu=60.0, memory=2048)


@dataclass
class Ended:
    """How a command ended. `exit_code` is None where the sandbox itself failed or the command was stopped."""

    exit_code: int | None = None
    stopped: str = ""
    cpu: float = 0.0
    channel: bytes = b""
    stdout: bytes = b""
    stderr: bytes = b""


@dataclass
class Command:
    """A command, what it gets on standard input, the files that it finds in its folder, and how many bytes of
    its standard output are kept."""

    words: list[str]
    limits: Limits
    stdin: Callable[[int], bytes] = lambda channel: b""
    files: dict[str, bytes] = field(default_factory=dict)
    kept: int = TAIL


@functools.cache
def _beside(part: str) -> dict[str, Any]:
    """What another file of the sandbox defines. They lie in one folder, whichever way this one was loaded."""
    return runpy.run_path(str(Path(__file__).with_name(f"ftbench_sandbox_{part}.py")))


def run(job: dict[str, Any]) -> dict[str, Any]:
    """Run one job and return its outcome; never raises for anything that the job or its program does."""
    outcome: dict[str, Any] = {"passed": False, "status": "refused", "phase": None, "exit_code": None, "signal": None}
    outcome |= {"cpu_seconds": 0.0, "stdout_tail": "", "stderr_tail": "", "sandbox": None, "reason": ""}
    if isinstance(job, dict) and "id" in job:
        outcome["id"] = job["id"]
    try:
        language, program, tests, limits, unsafe = _checked(job)
        reason = available()
        if reason and not unsafe:
            raise Unavailable(f"{reason}. Without a sandbox programs run only where --unsafe-no-sandbox is given")
        _tool(TOOLS[language])
        outcome["sandbox"] = "none" if reason else "bubblewrap"
        return outcome | _run(language, program, tests, limits, sandboxed=not reason)
    except Unavailable as problem:
        return outcome | {"reason": str(problem)}
    except OSError as problem:  # of this machine, not of the program: no memory or descriptors for another process
        return outcome | {"status": "sandbox-error", "reason": f"the sandbox could not be started: {problem}"}


def _checked(job: Any) -> tuple[str, str, str, Limits, bool]:
    known = {"language", "program", "tests", "cpu_seconds", "memory_mib", "id", "unsafe"}
    if not isinstance(job, dict) or not set(job) <= known:
        raise Unavailable(f"a job is an object with the keys {', '.join(sorted(known))}")
    language, program, tests, unsafe = (job.get(key) for key in ("language", "program", "tests", "unsafe"))
    if language not in (*TOOLS,) or not isinstance(program, str) or not isinstance(tests, str):
        raise Unavailable(f"a job needs program and tests as text and a language of {', '.join(TOOLS)}: {language!r}")
    cpu, memory = job.get("cpu_seconds"), job.get("memory_mib")
    cpu, memory = DEFAULT_CPU[language] if cpu is None else cpu, 512 if memory is None else memory
    numbers = all(isinstance(n, int | float) and not isinstance(n, bool) for n in (cpu, memory))
    if not numbers or not 0 < cpu <= 3600 or not 32 <= memory <= 65536 or unsafe not in (None, False, True):
        raise Unavailable("cpu_seconds lies in (0, 3600], memory_mib in 32 to 65536, unsafe is true or false")
    limits = Limits(float(cpu), int(memory), NODE_SPACE if language == "javascript" else None)
    return language, program, tests, limits, bool(unsafe)


def _run(language: str, program: str, tests: str, limits: Limits, *, sandboxed: bool) -> dict[str, Any]:
    drivers = _beside("drivers")
    token = secrets.token_hex(32).encode()
    files: dict[str, bytes] = drivers["FILES"][language]
    if language == "cpp":
        source = {"program.cpp": drivers["cpp_source"](program, tests)}
        compiling = Command(drivers["COMPILE"], COMPILE, files=files | source, kept=ARTEFACT + 1)
        binary = _execute(compiling, sandboxed=sandboxed)
        compiled, binary.stdout = binary.stdout, b""
        if binary.exit_code != 0 or len(compiled) > ARTEFACT:
            return _outcome("compile", binary, b"")
        files = {"program": compiled}
    words = [word.replace("@memory", str(limits.memory)) for word in drivers["WORDS"][language]]
    feed = functools.partial(drivers["feed"], language, token, program, tests)
    return _outcome("run", _execute(Command(words, limits, feed, files), sandboxed=sandboxed), token)


def _outcome(phase: str, ended: Ended, token: bytes) -> dict[str, Any]:
    code = ended.exit_code
    number = code - 128 if code is not None and 128 < code < 192 else None
    if ended.stopped:
        status = ended.stopped
    elif code is None:
        status = "sandbox-error"
    elif phase == "compile":
        status = "compile-error"
    elif code == 0:
        status = "passed" if secrets.compare_digest(ended.channel, token) else "no-token"
    else:  # an assertion of C++ ends in SIGABRT: the ordinary way to fail
        status = "failed" if number in (None, signal.SIGABRT) else "killed"
    return {
        "passed": status == "passed",
        "status": status,
        "phase": phase,
        "exit_code": code,
        "signal": _signal_name(number),
        "cpu_seconds": round(ended.cpu, 3),
        "stdout_tail": printable(ended.stdout),
        "stderr_tail": printable(ended.stderr),
    }


def _signal_name(number: int | None) -> str | None:
    try:
        return None if number is None else signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def printable(data: bytes) -> str:
    """Text that is safe to show: every control, format or broken character but line feed and tab becomes `?`."""
    return "".join(c if c.isprintable() or c in "\n\t" else "?" for c in data.decode("utf-8", "replace"))


# --- the sandbox -----------------------------------------------------------------------------------------------------


@functools.cache
def available() -> str:
    """Empty where programs can be run in bubblewrap on this machine, else the reason why not. It tries, once."""
    if sys.platform != "linux" or platform.machine() not in MACHINES:
        return f"the sandbox needs Linux on {' or '.join(MACHINES)}, not {sys.platform} on {platform.machine()}"
    try:
        _tool("bwrap")
        _tool("prlimit")
        ended = _execute(Command(["true"], Limits(5, 256)), sandboxed=True)
    except (Unavailable, OSError) as problem:
        return str(problem)
    if ended.exit_code == 0:
        return ""
    said = printable(ended.stderr).strip() or "it gave no reason"
    return (
        f"bubblewrap does not work here ({said}): user namespaces must be allowed to unprivileged users (sysctl "
        "kernel.unprivileged_userns_clone, user.max_user_namespaces, kernel.apparmor_restrict_unprivileged_userns; "
        "in a container also its seccomp profile)"
    )


def _tool(name: str) -> str:
    found = shutil.which(name, path=PATH)
    if found is None:
        raise Unavailable(f"{name} is not installed under /usr (Debian: apt-get install {PACKAGES.get(name, name)})")
    return found


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
    return [_tool("prlimit"), *(f"--{name}={value}" for name, value in settings.items()), "--", *words]


def _bubblewrap(words: list[str], files: dict[str, int], seccomp: int, status: int) -> list[str]:
    """The whole of what a program sees: /usr read-only, a small /tmp of its own, four devices, and no /proc."""
    command = [_tool("bwrap"), "--unshare-user", "--unshare-all", "--disable-userns", "--die-with-parent"]
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


def _pipe(stack: contextlib.ExitStack) -> tuple[int, int]:
    ours, theirs = os.pipe()
    stack.callback(os.close, ours)
    return ours, theirs


def _execute(command: Command, *, sandboxed: bool) -> Ended:
    """Run one command to its end, in a folder of its own, within its limits. Nothing of it is left afterwards."""
    with contextlib.ExitStack() as stack:
        channel, channel_end = _pipe(stack)
        status, status_end = _pipe(stack)
        words = _limited(command.words, command.limits, sandboxed=sandboxed)
        user, folder, extra = _unprivileged(), "/", [channel_end]
        if sandboxed:
            files = {name: _memory_file(stack, data) for name, data in command.files.items()}
            seccomp = _memory_file(stack, _beside("seccomp")["seccomp_filter"](platform.machine()))
            words = _bubblewrap(words, files, seccomp, status_end)
            extra += [status_end, seccomp, *files.values()]
        else:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="ftbench-", ignore_cleanup_errors=True))
            for name, data in command.files.items():
                Path(folder, name).write_bytes(data)
                Path(folder, name).chmod(0o755)
            for name in ("", *command.files) if user else ():
                os.chown(Path(folder, name), user["user"], user["group"])
        try:
            process = subprocess.Popen(  # noqa: S603
                words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=folder, bufsize=0,
                env=ENVIRONMENT if sandboxed else ENVIRONMENT | {"HOME": folder}, pass_fds=extra,
                start_new_session=True, **user,
            )  # fmt: skip
        finally:
            os.close(channel_end)
            os.close(status_end)
        with process:
            try:
                ended, report = _watch(process, command, command.stdin(channel_end), channel, status)
            finally:
                _kill(process)
        if sandboxed:  # bubblewrap reports the exit code only where it got as far as running the command
            ended.exit_code = _reported(report, "exit-code")
        elif not ended.stopped:
            ended.exit_code = process.returncode if process.returncode >= 0 else 128 - process.returncode
        return ended


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


def _watch(
    process: subprocess.Popen[bytes], command: Command, feed: bytes, channel: int, status: int
) -> tuple[Ended, bytes]:
    """Feed and drain a process until it ends or passes a limit; what it says beyond the bounds is thrown away."""
    assert process.stdin and process.stdout and process.stderr
    ended, deadline, pause = Ended(), time.monotonic() + command.limits.wall, 0.005
    into, out, err = process.stdin.fileno(), process.stdout.fileno(), process.stderr.fileno()
    kept = {descriptor: bytearray() for descriptor in (out, err, channel, status)}
    bounds = {descriptor: command.kept if descriptor == out else TAIL for descriptor in kept}
    with contextlib.ExitStack() as stack:
        processes = _beside("processes")
        gone = stack.enter_context(processes["Watched"](process.pid)).descriptor
        selector = stack.enter_context(selectors.DefaultSelector())
        for descriptor in (*kept, gone):
            selector.register(descriptor, selectors.EVENT_READ)
        os.set_blocking(into, False)
        selector.register(into, selectors.EVENT_WRITE)

        def drain(descriptor: int) -> bool:
            data = os.read(descriptor, 1 << 16)
            kept[descriptor] += data
            if len(kept[descriptor]) > bounds[descriptor] + MIB:
                del kept[descriptor][: -bounds[descriptor]]
            return bool(data)

        first, last_gone, sampled = None, None, time.monotonic()
        while not ended.stopped:
            ready = [int(key.fd) for key, _ in selector.select(max(0.0, sampled + pause - time.monotonic()))]
            for descriptor in ready:
                if descriptor == into:
                    feed = _feed(process, selector, feed)
                elif descriptor in kept and not drain(descriptor):
                    selector.unregister(descriptor)
                if descriptor == status and first is None:
                    first = _reported(bytes(kept[status]), "child-pid")
                    if first is not None:
                        last_gone = stack.enter_context(processes["Watched"](first))
            if gone in ready:
                break
            if time.monotonic() >= sampled + pause:
                ended.stopped, ended.cpu = _over(process.pid, command.limits, ended.cpu, deadline)
                sampled, pause = time.monotonic(), min(0.1, pause * 1.5)
        _kill(process)
        if last_gone is not None:  # the sandbox's first process ends after all its others: nothing runs on
            last_gone.wait(seconds=10)
        for descriptor in kept:  # what is still in the pipes, a MiB at most; who else holds them open is not waited for
            os.set_blocking(descriptor, False)
            with contextlib.suppress(BlockingIOError):
                all(drain(descriptor) for _ in range(MIB >> 16))
    last = {descriptor: bytes(kept[descriptor][-bounds[descriptor] :]) for descriptor in kept}
    ended.stdout, ended.stderr, ended.channel = last[out], last[err], last[channel]
    return ended, last[status]


def _feed(process: subprocess.Popen[bytes], selector: selectors.BaseSelector, feed: bytes) -> bytes:
    assert process.stdin
    try:
        feed = feed[os.write(process.stdin.fileno(), feed) :] if feed else b""
    except BrokenPipeError:
        feed = b""
    if not feed:
        selector.unregister(process.stdin.fileno())
        process.stdin.close()
    return feed


def _over(root: int, limits: Limits, before: float, deadline: float) -> tuple[str, float]:
    """Which limit a tree of processes has passed, if any, and the CPU seconds seen so far."""
    seconds, resident = _beside("processes")["usage"](root)
    seconds = max(before, seconds)
    if seconds > limits.cpu or time.monotonic() > deadline:
        return "timeout", seconds
    return "memory" if resident > (limits.memory + 128) * MIB else "", seconds


# --- the script ------------------------------------------------------------------------------------------------------


def outcomes(jobs: Iterable[dict[str, Any]], workers: int) -> Iterator[dict[str, Any]]:
    """The outcomes of jobs, in their order, `workers` programs at a time. All jobs are taken before the first ends."""
    with ThreadPoolExecutor(workers) as pool:
        yield from pool.map(run, jobs)


def _jobs(lines: Iterable[str], unsafe: bool) -> Iterator[dict[str, Any]]:
    for line in lines:
        try:
            job = json.loads(line)
        except (ValueError, RecursionError):
            job = None  # refused as any other thing that is no job
        yield job | {"unsafe": True} if unsafe and isinstance(job, dict) else job


def main() -> int:
    """Jobs from standard input, outcomes to standard output. `--check` says whether there is a sandbox (status 1)."""
    parser = argparse.ArgumentParser(description="Run generated programs with their tests in a sandbox.")
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)), help="programs at a time")
    parser.add_argument("--unsafe-no-sandbox", action="store_true", help="run programs even without bubblewrap")
    parser.add_argument("--check", action="store_true", help="say what is missing and stop")
    options = parser.parse_args()
    if options.check:
        print(available() or "bubblewrap works")
        return 1 if available() else 0
    for outcome in outcomes(_jobs(sys.stdin, options.unsafe_no_sandbox), max(1, options.workers)):
        print(json.dumps(outcome), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
