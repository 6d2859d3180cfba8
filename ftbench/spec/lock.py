"""The lock of a compiled benchmark: the digest of every file, and the two hashes that name it."""

from __future__ import annotations

from typing import Literal

from ftbench.spec.model import Name, Sha256, Version
from ftbench.spec.primitives import Block


class Lock(Block):
    """`ftbench.lock`: written last, never inside `app/`. It names format versions and Flower, not ftbench's version."""

    format: Literal["ftbench/lock/v1"] = "ftbench/lock/v1"
    """Format of this file."""
    name: Name
    """The benchmark's name."""
    version: Version
    """The benchmark's version."""
    spec_hash: Sha256
    """What entries are pinned to."""
    fab_hash: Sha256
    """sha256 of the Flower app bundle built from `app/` by Flower's own builder."""
    flwr: str
    """Version of Flower whose builder made that bundle."""
    files: dict[str, Sha256]
    """Path inside the compiled benchmark → sha256 of the file; every file but the lock."""
