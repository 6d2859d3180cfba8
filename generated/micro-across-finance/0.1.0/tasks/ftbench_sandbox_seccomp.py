"""The system calls that a generated program may not make, as a seccomp program; read by `ftbench_sandbox`.

Namespaces and dropped capabilities already make most of them fail. The filter takes away what they leave: kernel
interfaces with a history of holes, new namespaces, networks, and memory that no limit of the process counts.
"""

from __future__ import annotations

import struct

# (x86_64, aarch64); None where the machine has no such call. Numbers from the kernel's headers.
_REFUSED: dict[str, tuple[int | None, int | None]] = {
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "kcmp": (312, 272),
    "pidfd_getfd": (438, 438), "process_madvise": (440, 440), "mount": (165, 40), "umount2": (166, 39),
    "pivot_root": (155, 41), "chroot": (161, 51), "fsopen": (430, 430), "fsconfig": (431, 431),
    "fsmount": (432, 432), "fspick": (433, 433), "move_mount": (429, 429), "open_tree": (428, 428),
    "mount_setattr": (442, 442), "keyctl": (250, 219), "add_key": (248, 217), "request_key": (249, 218),
    "bpf": (321, 280), "perf_event_open": (298, 241), "userfaultfd": (323, 282), "unshare": (272, 97),
    "setns": (308, 268), "kexec_load": (246, 104), "kexec_file_load": (320, 294), "init_module": (175, 105),
    "finit_module": (313, 273), "delete_module": (176, 106), "reboot": (169, 142), "swapon": (167, 224),
    "swapoff": (168, 225), "acct": (163, 89), "quotactl": (179, 60), "quotactl_fd": (443, 443), "syslog": (103, 116),
    "settimeofday": (164, 170), "clock_settime": (227, 112), "clock_adjtime": (305, 266), "adjtimex": (159, 171),
    "sethostname": (170, 161), "setdomainname": (171, 162), "iopl": (172, None), "ioperm": (173, None),
    "name_to_handle_at": (303, 264), "open_by_handle_at": (304, 265), "fanotify_init": (300, 262),
    "modify_ldt": (154, None), "migrate_pages": (256, 238), "move_pages": (279, 239),
    # Memory that no limit of the process would count.
    "shmget": (29, 194), "msgget": (68, 186), "semget": (64, 190), "mq_open": (240, 180),
}  # fmt: skip
# As if the kernel did not have them: the C library then falls back on calls that can be filtered.
_ABSENT: dict[str, tuple[int, int]] = {
    "clone3": (435, 435), "io_uring_setup": (425, 425), "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427), "memfd_create": (319, 279), "memfd_secret": (447, 447),
}  # fmt: skip
_CLONE, _SOCKET, _SOCKETPAIR = (56, 220), (41, 198), (53, 199)
_NEW_NAMESPACES = 0x7E020000
_ARCHITECTURES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}


def seccomp_filter(machine: str) -> bytes:
    """The BPF program that refuses system calls no test needs. Any other architecture than the machine's is killed."""
    column, audit = _ARCHITECTURES[machine]
    load, equal, at_least, has_bits, give = 0x20, 0x15, 0x35, 0x45, 0x06
    allow, kill, refuse, absent = 0x7FFF0000, 0x80000000, 0x00050000 | 1, 0x00050000 | 38

    def step(code: int, value: int, then: int = 0, otherwise: int = 0) -> bytes:
        return struct.pack("<HBBI", code, then, otherwise, value)

    program = [step(load, 4), step(equal, audit, 1), step(give, kill), step(load, 0)]
    program += [step(at_least, 0x40000000, 0, 1), step(give, refuse)]  # x32: the same calls under other numbers
    for calls, answer in ((_REFUSED, refuse), (_ABSENT, absent)):
        for numbers in calls.values():
            number = numbers[column]
            if number is not None:
                program += [step(equal, number, 0, 1), step(give, answer)]
    first_argument = step(load, 16)
    program += [step(equal, _CLONE[column], 0, 4), first_argument, step(has_bits, _NEW_NAMESPACES, 0, 1)]
    program += [step(give, refuse), step(give, allow)]
    for numbers in (_SOCKET, _SOCKETPAIR):  # AF_UNIX is 1: what asyncio and multiprocessing talk through
        program += [step(equal, numbers[column], 0, 4), first_argument, step(equal, 1, 1), step(give, refuse)]
        program += [step(give, allow)]
    return b"".join([*program, step(give, allow)])
