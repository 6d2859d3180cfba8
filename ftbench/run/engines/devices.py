"""Which accelerators the app will use, found without importing torch here."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib import metadata

_ASK = """
import json, torch
print(json.dumps([torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]))
"""
SECONDS = 120


def found() -> list[str]:
    """Names of the CUDA devices that torch sees here; empty on a CPU, with a CPU build, or where torch is missing."""
    try:
        if metadata.version("torch").endswith("+cpu"):
            return []
    except metadata.PackageNotFoundError:
        return []
    try:
        asked = subprocess.run(  # noqa: S603  (our own interpreter and text)
            [sys.executable, "-c", _ASK], capture_output=True, timeout=SECONDS, check=False, stdin=subprocess.DEVNULL
        )
        names = json.loads(asked.stdout)
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return []
    return [str(name) for name in names] if isinstance(names, list) else []
