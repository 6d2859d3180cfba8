"""Keeping bitsandbytes and scipy out of a process that has no use for them.

peft imports bitsandbytes wherever it is installed, which takes about 1.2 s of processor. Where no weights are quantised
and no moments have 8 bits there is nothing that it could do. transformers imports scipy (0.3 s) for the losses of
models that find objects in pictures; what accounts for differential privacy computes with it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any


def needed(spec: Mapping[str, Any], overrides: Mapping[str, Any]) -> bool:
    """Whether a run of the plan's `spec` with these values of its run config may use bitsandbytes. A participant's own
    code may."""
    asked = json.dumps([spec["training"], list(overrides.values())])
    return spec["model"].get("quantization") is not None or "8bit" in asked or bool(overrides.get("open-code"))


def keep_away(plan: Path, runs: Iterable[Mapping[str, Any]]) -> None:
    """Let this process not find what is not loaded yet of the two, if none of its runs of `plan` needs it.

    For good, so only for a process that does nothing else. A plan that cannot be read changes nothing.
    """
    try:
        spec = json.loads(plan.read_bytes())["spec"]
        if any(needed(spec, overrides) for overrides in runs):
            return
        names = ["bitsandbytes", *([] if spec.get("privacy") else ["scipy"])]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return
    for name in names:
        # None is how the import system is told that a module does not exist.
        sys.modules.setdefault(name, None)  # type: ignore[arg-type]
