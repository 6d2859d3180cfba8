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
_ASK_FREE = "import json, torch; print(json.dumps(torch.cuda.mem_get_info(0)[0]))"
SECONDS = 120


def found() -> list[str]:
    """Names of the CUDA devices that torch sees here; empty on a CPU, with a CPU build, or where torch is missing."""
    try:
        if metadata.version("torch").endswith("+cpu"):
            return []
    except metadata.PackageNotFoundError:
        return []
    names = _asked(_ASK)
    return [str(name) for name in names] if isinstance(names, list) else []


def free_bytes() -> int:
    """Memory of the first CUDA device that nobody uses now; 0 where torch does not say."""
    told = _asked(_ASK_FREE)
    return told if isinstance(told, int) else 0


def _asked(text: str) -> object:
    """What a process of its own prints, which has torch; None where it fails."""
    try:
        asked = subprocess.run(  # noqa: S603  (our own interpreter and text)
            [sys.executable, "-c", text], capture_output=True, timeout=SECONDS, check=False, stdin=subprocess.DEVNULL
        )
        found: object = json.loads(asked.stdout)
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return None
    return found
