"""Programs that try to reach out of the sandbox or to use the machine up. Those that pass here say: I was refused."""

from __future__ import annotations

import os
import secrets
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest

from ftbench.tasks import ftbench_sandbox

Run = Callable[..., dict[str, Any]]

REFUSED = """
def refused(action, *arguments):
    try:
        found = action(*arguments)
    except (OSError, ValueError):
        return True
    print("not refused:", action, arguments, found)
    return False
"""


def left_over() -> list[str]:
    """Processes that run on under the numbers that only sandboxed programs have. Ended ones that the machine's first
    process has not yet waited for (zombies) do not, and one that was killed is given a moment to go."""
    deadline = time.monotonic() + 10
    while (found := _running()) and time.monotonic() < deadline:
        os.sched_yield()
    return found


def _running() -> list[str]:
    found = []
    for folder in Path("/proc").iterdir():
        with suppress(OSError):
            if folder.name.isdigit() and 0x60000000 <= folder.stat().st_uid < 0x61000000:
                stat = (folder / "stat").read_text()
                found += [stat] if stat.rpartition(") ")[2][0] != "Z" else []
    return found


def test_network(run: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        port = server.getsockname()[1]
        program = REFUSED + "import socket\n"
        tests = (
            f"assert refused(socket.create_connection, ('127.0.0.1', {port}), 1)\n"
            "assert refused(socket.create_connection, ('example.org', 80), 1)\n"
            "for family in (socket.AF_INET, socket.AF_INET6, socket.AF_NETLINK, socket.AF_PACKET, socket.AF_VSOCK):\n"
            "    assert refused(socket.socket, family, socket.SOCK_DGRAM)\n"
        )
        outcome = run("python", program + tests)
        assert outcome["passed"], outcome
        with pytest.raises(BlockingIOError):
            server.accept()


def test_network_from_javascript(run: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        port = server.getsockname()[1]
        program = f"require('net').connect({port}, '127.0.0.1').on('error', (e) => console.log('refused', e.code));\n"
        outcome = run("javascript", program)
        assert "refused" in outcome["stdout_tail"], outcome
        with pytest.raises(BlockingIOError):
            server.accept()


@pytest.fixture
def canaries() -> Iterator[list[Path]]:
    """A file with a secret in each place of this machine where somebody's files may lie."""
    with ExitStack() as stack:
        paths = []
        for place in (None, Path.home(), Path(__file__).parent):
            folder = stack.enter_context(tempfile.TemporaryDirectory(dir=place))
            Path(folder).chmod(0o755)
            paths.append(Path(folder, "canary.txt"))
            paths[-1].write_text("canary")
        yield paths


def test_files_of_the_machine(run: Run, canaries: list[Path]) -> None:
    program = REFUSED + "import os\n"
    tests = (
        "assert set(os.listdir('/')) <= {'bin', 'dev', 'etc', 'lib', 'lib32', 'lib64', 'sbin', 'tmp', 'usr'}\n"
        "assert set(os.listdir('/etc')) <= {'ld.so.cache', 'alternatives'}\n"
        "assert set(os.listdir('/dev')) <= {'null', 'zero', 'random', 'urandom', 'shm'}\n"
        "assert os.listdir('/tmp') == []\n"
        "for name in ('/proc', '/sys', '/root', '/home', '/run', '/var', '/etc/passwd', '/etc/shadow'):\n"
        "    assert not os.path.exists(name), name\n"
        f"for name in {[str(path) for path in canaries]!r}:\n"
        "    assert refused(open, name)\n"
        "    os.symlink(name, 'link')\n"
        "    assert refused(open, 'link')\n"
        "    os.unlink('link')\n"
        "    assert refused(open, '../' * 40 + name)\n"
    )
    outcome = run("python", program + tests)
    assert outcome["passed"], outcome


def test_writing_outside_its_folder(run: Run) -> None:
    program = REFUSED + "import os\n"
    tests = (
        "for name in ('/x', '/usr/x', '/usr/bin/x', '/usr/lib/x', '/etc/x', '/dev/x', '/bin/x', '/etc/ld.so.cache'):\n"
        "    assert refused(open, name, 'w')\n"
        "assert refused(os.mkdir, '/home')\n"
        "assert refused(os.rename, '/usr/bin/env', '/tmp/env')\n"
        "assert refused(os.chmod, '/usr/bin/env', 0o777)\n"
        "assert refused(os.mknod, '/tmp/disk', 0o060600, os.makedev(8, 0))\n"
        "open('own', 'w').write('x')\n"
    )
    outcome = run("python", program + tests)
    assert outcome["passed"], outcome


def test_environment_and_descriptors_of_the_caller(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FTBENCH_TEST_SECRET", secrets.token_hex(8))
    with tempfile.TemporaryFile() as file:
        os.set_inheritable(file.fileno(), True)
        program = (
            "import os\nopen_ones = []\nfor n in range(1024):\n"
            "    try:\n        os.fstat(n)\n        open_ones.append(n)\n"
            "    except OSError:\n        pass\n"
        )
        tests = "assert 'FTBENCH_TEST_SECRET' not in os.environ\nassert len(open_ones) == 5, open_ones\n"
        outcome = run("python", program + tests)
        assert outcome["passed"], outcome


def test_kernel_interfaces(run: Run) -> None:
    """By number, as no library would: each has to fail. 231 is a name that `clone` would need to be refused for."""
    calls = {
        "ptrace": "SYS_ptrace, 0, 0, 0, 0",
        "process_vm_readv": "SYS_process_vm_readv, getpid(), &v, 1, &v, 1, 0",
        "unshare user": "SYS_unshare, 0x10000000",
        "unshare net": "SYS_unshare, 0x40000000",
        "clone user": "SYS_clone, 0x10000000 | 17, 0, 0, 0, 0",
        "clone3": "SYS_clone3, &v, sizeof v",
        "setns": "SYS_setns, 0, 0",
        "mount": 'SYS_mount, "none", "/tmp", "tmpfs", 0, 0',
        "umount": 'SYS_umount2, "/tmp", 2',
        "pivot_root": 'SYS_pivot_root, "/tmp", "/tmp"',
        "chroot": 'SYS_chroot, "/tmp"',
        "open_tree": 'SYS_open_tree, -100, "/tmp", 1',
        "keyctl": "SYS_keyctl, 0, -3, 1",
        "add_key": 'SYS_add_key, "user", "a", "b", 1, -3',
        "bpf": "SYS_bpf, 0, &v, sizeof v",
        "perf": "SYS_perf_event_open, &v, 0, -1, -1, 0",
        "userfaultfd": "SYS_userfaultfd, 0",
        "io_uring": "SYS_io_uring_setup, 1, &v",
        "memfd": 'SYS_memfd_create, "a", 0',
        "shmget": "SYS_shmget, 0, 1 << 20, 01600",
        "mq_open": 'SYS_mq_open, "a", 0102, 0600, 0',
        "setuid": "SYS_setuid, 0",
        "setgid": "SYS_setgid, 0",
        "setgroups": "SYS_setgroups, 1, &v",
        "sethostname": 'SYS_sethostname, "a", 1',
        "settimeofday": "SYS_settimeofday, &v, 0",
        "reboot": "SYS_reboot, 0, 0, 0, 0",
        "raise a limit": "SYS_prlimit64, 0, 6, limit, 0",
        "kill outside": "SYS_kill, 100000, 0",
        "lower nice": "SYS_setpriority, 0, 0, -20",
    }
    body = "".join(
        f'  if (syscall({call}) != -1) {{ std::puts("{name}"); bad = 1; }}\n' for name, call in calls.items()
    )
    program = (
        "#include <cstdio>\n#include <sys/syscall.h>\n#include <sys/uio.h>\n#include <unistd.h>\n"
        "#ifndef SYS_open_tree\n#define SYS_open_tree 428\n#endif\n"
        "int probe() {\n  int bad = 0; iovec v[8] = {}; unsigned long limit[2] = {4096, 4096};\n"
        + body
        + "  return bad;\n}\n"
    )
    outcome = run("cpp", program, "int main() { assert(probe() == 0); }\n")
    assert outcome["passed"], outcome


def test_programs_do_not_see_each_other(run: Run) -> None:
    program = "import os, time\nseen = os.listdir('/tmp')\nopen('/tmp/mine', 'w').close()\n"
    tests = "time.sleep(0.05)\nassert seen == [] and os.listdir('/tmp') == ['mine']\nassert os.getpid() < 10\n"
    with ThreadPoolExecutor(4) as pool:
        outcomes = list(pool.map(lambda _: run("python", program + tests), range(8)))
    assert all(outcome["passed"] for outcome in outcomes), outcomes


def test_nothing_is_left_on_the_machine(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    run(
        "python",
        "import os\nif os.fork() == 0:\n    os.setsid()\n    open('left', 'w')\n    while True:\n        os.nice(1)\n",
    )
    assert not list(tmp_path.iterdir())
    assert not left_over()


@pytest.mark.parametrize(
    "program",
    [
        "import os\nwhile True:\n    try:\n        os.fork()\n    except OSError:\n        pass\n",
        "import threading\ndef spin():\n    while True:\n        pass\n"
        "while True:\n    threading.Thread(target=spin).start()\n",
    ],
    ids=["processes", "threads"],
)
def test_fork_bomb(run: Run, program: str) -> None:
    outcome = run("python", program, "", cpu_seconds=0.5, memory_mib=256)
    assert outcome["status"] in ("timeout", "failed", "memory"), outcome
    assert not left_over()


def test_processes_are_bounded(run: Run) -> None:
    program = (
        "import os, signal\nchildren = []\n"
        "try:\n    while len(children) < 500:\n        child = os.fork()\n"
        "        if child == 0:\n            signal.pause()\n        children.append(child)\n"
        "except BlockingIOError:\n    pass\n"
    )
    outcome = run("python", program + "assert len(children) <= 48, len(children)\n")
    assert outcome["passed"], outcome
    assert not left_over()


def test_memory_bomb(run: Run) -> None:
    outcome = run("python", "x = []\nwhile True:\n    x.append(bytearray(1 << 20))\n", memory_mib=128)
    assert (outcome["status"], outcome["reason"]) == ("failed", "MemoryError:"), outcome


def test_memory_bomb_of_many_processes(run: Run) -> None:
    """Each stays under its own limit; all together are stopped."""
    program = (
        "import os, signal\nfor _ in range(12):\n    if os.fork() == 0:\n"
        "        x = b'x' * (60 << 20)\n        signal.pause()\nos.wait()\n"
    )
    outcome = run("python", program, memory_mib=128)
    assert outcome["status"] == "memory", outcome


def test_memory_bomb_in_javascript(run: Run) -> None:
    outcome = run("javascript", "const x = []; for (;;) x.push(Buffer.alloc(1 << 20, 1));\n", memory_mib=128)
    assert outcome["status"] in ("failed", "killed", "memory", "ended"), outcome
    heap = run("javascript", "const x = []; for (;;) x.push(new Array(1000).fill({}));\n", memory_mib=64)
    assert heap["status"] in ("failed", "killed", "memory", "ended"), heap


@pytest.mark.parametrize("folder", ["/tmp", "/dev/shm"])
def test_disk_fill(run: Run, folder: str) -> None:
    program = (
        "import errno\nblock, written, why = bytes(1 << 20), 0, 0\n"
        "try:\n    for n in range(40):\n"
        f"        with open(f'{folder}/{{n}}', 'wb', buffering=0) as file:\n"
        "            for _ in range(8):\n                written += file.write(block)\n"
        "except OSError as problem:\n    why = problem.errno\n"
    )
    outcome = run("python", program + "assert why == errno.ENOSPC and written <= 64 << 20, (why, written)\n")
    assert outcome["passed"], outcome


def test_huge_file(run: Run) -> None:
    program = REFUSED + "import os\nfile = open('huge', 'wb', buffering=0)\n"
    outcome = run("python", program + "assert refused(os.truncate, file.fileno(), 1 << 40)\n")
    assert outcome["passed"], outcome


def test_output_flood(run: Run) -> None:
    program = "import os\nwhile True:\n    for n in (1, 2):\n        os.write(n, b'x' * 65536)\n"
    outcome = run("python", program, "", cpu_seconds=0.3)
    assert outcome["status"] == "timeout"
    assert len(outcome["stdout_tail"]) <= ftbench_sandbox.TAIL
    assert len(outcome["stderr_tail"]) <= ftbench_sandbox.TAIL


def test_endless_loop_is_stopped_by_cpu_time(run: Run) -> None:
    program = "import signal\nsignal.signal(signal.SIGXCPU, signal.SIG_IGN)\nwhile True:\n    pass\n"
    outcome = run("python", program, "", cpu_seconds=0.3)
    assert outcome["status"] == "timeout"
    assert 0.2 < outcome["cpu_seconds"] < 3


def test_cpu_time_of_all_processes_counts(run: Run) -> None:
    """Children that end before they reach the limit themselves."""
    program = (
        "import os\nwhile True:\n"
        "    if os.fork() == 0:\n        sum(range(10 ** 6))\n        os._exit(0)\n    os.wait()\n"
    )
    assert run("python", program, "", cpu_seconds=0.3)["status"] == "timeout"


def test_sleeper_that_ignores_signals(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ftbench_sandbox.Limits, "wall", 0.5)
    program = (
        "import signal\nfor n in range(1, 65):\n    try:\n        signal.signal(n, signal.SIG_IGN)\n"
        "    except (OSError, ValueError):\n        pass\nwhile True:\n    signal.pause()\n"
    )
    assert run("python", program)["status"] == "timeout"
    assert not left_over()


def test_killing_everybody(run: Run) -> None:
    program = "import os\nfor who in (-1, 1, os.getppid()):\n    os.kill(who, 9)\n"
    outcome = run("python", program)
    assert outcome["status"] in ("passed", "failed", "killed", "ended")  # it has nobody else to kill; not the judge


@pytest.mark.parametrize(
    ("program", "statuses"),
    [
        ("def f(): return f()\nf()\n", ["failed"]),
        (
            "import sys\nsys.setrecursionlimit(10 ** 9)\nf = lambda x: [f(x)]\nsorted([1], key=f)\n",
            ["killed", "failed", "timeout"],
        ),
        ("x = 0\nfor _ in range(10 ** 6):\n    x = [x]\nprint(repr(x))\n", ["killed", "failed", "timeout"]),
    ],
)
def test_endless_recursion(run: Run, program: str, statuses: list[str]) -> None:
    assert run("python", program, cpu_seconds=0.5)["status"] in statuses


@pytest.mark.slow
def test_endless_recursion_in_cpp(run: Run) -> None:
    given, body = "static volatile int x;\nint f(int n) {", " x = n; return f(n + 1) + x;\n"
    outcome = run("cpp", given + body, "}\nint main() { return f(0); }\n", given=given, entry_point="f")
    assert (outcome["status"], outcome["signal"]) == ("killed", "SIGSEGV")


@pytest.mark.slow
def test_compiler_bombs(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ftbench_sandbox, "COMPILE", ftbench_sandbox.Limits(cpu=3, memory=512))
    endless = 'template <int N> struct A { static const int x = A<N - 1>::x + A<N - 2>::x; };\n#include "/dev/zero"\n'
    large = "char a[1 << 30] = {1};\n"
    for program in (endless, large):
        outcome = run("cpp", program, "int main() {}\n")
        assert outcome["phase"] == "compile", outcome
        assert outcome["status"] in ("compile-error", "timeout", "memory"), outcome
    assert run("cpp", '#include "/etc/passwd"\n', "int main() {}\n")["status"] == "compile-error"
