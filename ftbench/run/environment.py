"""Where a run takes place, as its bundle reports it."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping, Sequence
from importlib import metadata

from ftbench.result.documents import Environment


def describe(stack: Mapping[str, str], devices: Sequence[str] = ()) -> Environment:
    """This machine, the accelerators used, and the installed versions of the plan's packages."""
    return Environment(
        python=platform.python_version(),
        system=f"{platform.system()} {platform.machine()}",
        cpu_count=os.cpu_count() or 0,
        devices=list(devices),
        packages=installed(stack),
    )


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
