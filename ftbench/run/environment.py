"""Where a run takes place, as its bundle reports it."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path

from ftbench.result.documents import Environment

CPUINFO = Path("/proc/cpuinfo")
KERNELS = {"avx512": "avx512f", "avx2": "avx2"}
"""Name as PyTorch has it → the processor's flag, the widest first."""


def describe(stack: Mapping[str, str], devices: Sequence[str] = ()) -> Environment:
    """This machine, the accelerators used, and the installed versions of the plan's packages."""
    return Environment(
        python=platform.python_version(),
        system=f"{platform.system()} {platform.machine()}",
        cpu_count=os.cpu_count() or 0,
        devices=list(devices),
        packages=installed(stack),
        instructions=instructions(),
    )


def instructions() -> str | None:
    """The widest vector instructions of this machine's processor that PyTorch knows kernels for; None: not known.

    `ATEN_CPU_CAPABILITY` sets them lower. Measured on one entry: `avx512` and `avx2` end at other digests.
    """
    told = os.environ.get("ATEN_CPU_CAPABILITY", "")
    if told in KERNELS or told == "default":
        return told
    try:
        flags = next(line for line in CPUINFO.read_text().splitlines() if line.startswith("flags")).split()
    except (OSError, StopIteration):
        return None
    return next((name for name, flag in KERNELS.items() if flag in flags), "default")


def installed(stack: Mapping[str, str]) -> dict[str, str]:
    """Distribution → installed version for each package of `stack` that is installed, build tags included."""
    found = {}
    for name in sorted(stack):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def differences(stack: Mapping[str, str]) -> dict[str, str | None]:
    """Packages whose installed version is not the plan's → that version, None where it is not installed.

    Local build tags (`+cpu`, `+cu126`) do not count.
    """
    found = installed(stack)
    return {
        name: found.get(name)
        for name, version in sorted(stack.items())
        if name not in found or found[name].partition("+")[0] != version
    }
