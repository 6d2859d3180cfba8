"""Which files a bundle may hold, and which names are safe on every system."""

from __future__ import annotations

import re

RESULT = "result.json"
ENTRY = "entry.yaml"
LOCK = "ftbench.lock"
LEDGER = "ledger.jsonl"
ENVIRONMENT = "environment.json"
MANIFEST = "manifest.json"
SIGNATURE = "manifest.json.sig"
"""The submitter's signature of the manifest, as `ssh-keygen -Y sign` names it; a bundle may be without."""
MODEL = "model.json"
ADAPTER = "adapter/adapter_model.safetensors"
ADAPTER_CONFIG = "adapter/adapter_config.json"
CARD = "adapter/README.md"
"""The model card; bundles of ftbench 0.1 have none."""

FIXED = (RESULT, ENTRY, LOCK, LEDGER, ENVIRONMENT, MANIFEST, MODEL, ADAPTER, ADAPTER_CONFIG)
"""Files that every bundle has."""
OPEN = {"strategy": "open/strategy.py", "client": "open/client.py"}
"""Open division: what an entry may bring → the module's path in the bundle, and in the run's folder."""
FOLDERS = ("adapter", "samples", "open")
"""The only folders."""
UNLISTED = (MANIFEST, SIGNATURE)
"""What a manifest does not list: itself and what is made of it."""

MAX_NAME = 200
"""Longest name, in characters."""

_PART = r"[A-Za-z0-9_](?:[A-Za-z0-9._-]*[A-Za-z0-9_-])?"
_SAFE = re.compile(rf"{_PART}(?:/{_PART})*")
_SAMPLES = re.compile(r"samples/[a-z][a-z0-9]*(?:-[a-z0-9]+)*\.jsonl\.gz")


def samples_name(task: str) -> str:
    """Path of a task's samples inside the bundle."""
    return f"samples/{task}.jsonl.gz"


def task_of(name: str) -> str | None:
    """The task whose samples `name` holds; None for any other file."""
    return name.removeprefix("samples/").removesuffix(".jsonl.gz") if _SAMPLES.fullmatch(name) else None


def is_safe(name: str) -> bool:
    """Whether `name` is a relative POSIX path of plain words: no `..`, leading dot, backslash, control or space."""
    return len(name) <= MAX_NAME and _SAFE.fullmatch(name) is not None


def is_permitted(name: str) -> bool:
    """Whether a bundle may hold a file of this name."""
    return name in (*FIXED, CARD, SIGNATURE, *OPEN.values()) or task_of(name) is not None
