"""The filter's decisions, by an interpreter of the few instructions it uses: both machines, on either of them."""

from __future__ import annotations

import struct

import pytest

from ftbench.tasks.ftbench_sandbox_seccomp import seccomp_filter

X86, ARM = ("x86_64", 0xC000003E), ("aarch64", 0xC00000B7)
ALLOW, KILL, EPERM, ENOSYS = 0x7FFF0000, 0x80000000, 0x00050001, 0x00050026


def decide(machine: str, audit: int, number: int, argument: int = 0) -> int:
    data = struct.pack("<IIQ6Q", number, audit, 0, argument, 0, 0, 0, 0, 0)
    program = list(struct.iter_unpack("<HBBI", seccomp_filter(machine)))
    at = accumulator = 0
    while True:
        code, then, otherwise, value = program[at]
        at += 1
        if code == 0x06:
            return int(value)
        if code == 0x20:
            accumulator = struct.unpack_from("<I", data, value)[0]
            continue
        holds = {0x15: accumulator == value, 0x35: accumulator >= value, 0x45: bool(accumulator & value)}[code]
        at += then if holds else otherwise


@pytest.mark.parametrize(
    ("machine", "number", "argument", "answer"),
    [
        (X86, 0, 0, ALLOW),  # read
        (X86, 59, 0, ALLOW),  # execve
        (X86, 101, 0, EPERM),  # ptrace
        (X86, 165, 0, EPERM),  # mount
        (X86, 240, 0, EPERM),  # mq_open: the last of the table
        (X86, 435, 0, ENOSYS),  # clone3
        (X86, 319, 0, ENOSYS),  # memfd_create
        (X86, 56, 0x01200011, ALLOW),  # clone: fork
        (X86, 56, 0x003D0F00, ALLOW),  # clone: a thread
        (X86, 56, 0x10000011, EPERM),  # clone: a user namespace
        (X86, 41, 1, ALLOW),  # socket: AF_UNIX
        (X86, 41, 2, EPERM),  # socket: AF_INET
        (X86, 53, 1, ALLOW),  # socketpair
        (X86, 53, 16, EPERM),
        (X86, 0x40000000 + 101, 0, EPERM),  # x32
        (ARM, 63, 0, ALLOW),
        (ARM, 117, 0, EPERM),
        (ARM, 40, 0, EPERM),
        (ARM, 220, 0x01200011, ALLOW),
        (ARM, 220, 0x40000011, EPERM),
        (ARM, 198, 10, EPERM),
        (ARM, 198, 1, ALLOW),
        (ARM, 435, 0, ENOSYS),
    ],
)
def test_decisions(machine: tuple[str, int], number: int, argument: int, answer: int) -> None:
    assert decide(*machine, number, argument) == answer


@pytest.mark.parametrize(("machine", "other"), [(X86, ARM), (ARM, X86), (X86, ("i386", 0x40000003))])
def test_calls_of_another_architecture_kill(machine: tuple[str, int], other: tuple[str, int]) -> None:
    assert decide(machine[0], other[1], 0) == KILL
