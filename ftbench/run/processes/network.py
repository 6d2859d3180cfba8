"""A network of a run's own: a namespace in which there is a loopback interface and nobody else.

Whatever listens inside, on TCP or on an abstract Unix socket, is reached from inside only. A process leaves the
machine's network with `leave`, which also makes a user namespace where the kernel asks for one; this file with a
process id and a command carries out the command in the network of that process, which is ours. Linux only; containers,
hosted notebooks and hardened kernels may forbid it, and `why_not` says so.
"""

from __future__ import annotations

import ctypes
import errno
import functools
import os
import socket
import struct
import subprocess
import sys
from pathlib import Path

CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000  # linux/sched.h
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 0x1  # linux/sockios.h, linux/if.h
LISTENING = "0A"
"""State of a listening socket in /proc/net/tcp."""
TRY_SECONDS = 30.0


def leave() -> None:
    """Put this process, which must have one thread, into a network of its own. Raises OSError."""
    user, group = os.getuid(), os.getgid()
    try:
        _call("unshare", CLONE_NEWNET)
    except PermissionError:
        _call("unshare", CLONE_NEWUSER | CLONE_NEWNET)
        # We stay who we are. Before its group may be mapped, a process must give up changing its groups.
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
        Path("/proc/self/gid_map").write_text(f"{group} {group} 1")
    _raise_loopback()


def join(pid: int) -> None:
    """Put this process, which must have one thread, into the network of process `pid`. Raises OSError."""
    for kind, flag in (("user", CLONE_NEWUSER), ("net", CLONE_NEWNET)):
        path = Path(f"/proc/{pid}/ns/{kind}")
        if path.stat().st_ino == Path(f"/proc/self/ns/{kind}").stat().st_ino:
            continue  # to join where one is already is an error
        descriptor = os.open(path, os.O_RDONLY)
        try:
            _call("setns", descriptor, flag)
        finally:
            os.close(descriptor)


def inside(pid: int) -> list[str]:
    """The beginning of a command line that carries out the rest of it in the network of process `pid`."""
    return [sys.executable, "-P", str(Path(__file__).absolute()), str(pid)]


@functools.cache
def why_not() -> str:
    """Why no network of a run's own can be had here; empty where it can. Tried in a process of its own, once."""
    if sys.platform != "linux":
        return f"{sys.platform} has no network namespaces"
    try:
        done = subprocess.run(  # noqa: S603  (our own interpreter and file)
            [sys.executable, "-P", str(Path(__file__).absolute())],
            capture_output=True,
            text=True,
            timeout=TRY_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"it could not be tried: {error}"
    return "" if done.returncode == 0 else (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]


def listens(pid: int, port: int) -> bool:
    """Whether somebody listens on a TCP port in the network of process `pid`, by /proc. False where it is gone."""
    try:
        lines = Path(f"/proc/{pid}/net/tcp").read_text(encoding="ascii").splitlines()[1:]
    except OSError:
        return False
    return any(words[1].endswith(f":{port:04X}") and words[3] == LISTENING for words in map(str.split, lines))


def _call(name: str, *arguments: int) -> None:
    if getattr(ctypes.CDLL(None, use_errno=True), name)(*arguments):
        number = ctypes.get_errno()
        # unshare(2): the limit of namespaces that /proc/sys/user/max_*_namespaces sets. Of space it says nothing.
        why = "no more namespaces are allowed" if number == errno.ENOSPC else os.strerror(number)
        raise OSError(number, f"{name}: {why}")


def _raise_loopback() -> None:
    import fcntl

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        request = struct.pack("16sh22x", b"lo", 0)
        flags = struct.unpack("16sh22x", fcntl.ioctl(any_socket, SIOCGIFFLAGS, request))[1]
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sh22x", b"lo", flags | IFF_UP))


def _try() -> None:
    """Leave, then talk to oneself."""
    leave()
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        with socket.create_connection(listener.getsockname(), timeout=5):
            pass


def main(words: list[str]) -> int:
    """`PID COMMAND…` carries out the command in that process's network; without words, try whether it can be done."""
    try:
        if not words:
            _try()
            return 0
        join(int(words[0]))
    except OSError as error:
        print(f"{error.strerror or error} ({errno.errorcode.get(error.errno or 0, 'no code')})", file=sys.stderr)
        return 1
    os.execvpe(words[1], words[1:], os.environ)  # noqa: S606  (a list, from our own engine)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
