"""How a simulation deals out CUDA devices: Flower's client resources, and how many clients train at once.

Ray shows each client process its own device only, so the app's `cuda` is another one in each. With one device and
nothing asked for, clients are dealt none: one process trains at a time and sees what the machine has.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ftbench import codes
from ftbench.diagnostics import Diagnostic
from ftbench.errors import InvalidInput
from ftbench.run.rundir import RunSettings


def check_resources(settings: RunSettings, found: Callable[[], Sequence[str]]) -> None:
    """Raise InvalidInput (FTB531) where more devices are asked for one client than there are."""
    if settings.client_gpus is None:
        return
    devices = found()
    if settings.client_gpus > len(devices):
        there = f"there are {len(devices)}" if devices else "there is none"
        message = f"a client is to have {settings.client_gpus:g} CUDA devices, but {there}"
        raise InvalidInput(Diagnostic(codes.NO_DEVICE, message, hint="leave out `--client-gpus`, or give less"))


def client_gpus(settings: RunSettings, devices: Sequence[str]) -> float:
    """Devices of one client: what was asked for; else one where there are several, and none where there is one."""
    if settings.client_gpus is not None:
        return settings.client_gpus
    return 1.0 if len(devices) > 1 else 0.0


def gpus(settings: RunSettings, devices: Sequence[str]) -> int:
    """Devices that are dealt out."""
    return len(devices) if client_gpus(settings, devices) else 0


def places(settings: RunSettings, devices: Sequence[str]) -> int:
    """Clients that train at once on these devices; a client's share lies on one device."""
    each = client_gpus(settings, devices)
    if not each:
        return 1
    # A share's reciprocal is rounded down, but 0.1 + 0.2 must not cost a place.
    return max(1, len(devices) // int(each) if each >= 1 else len(devices) * int(1 / each + 1e-9))
