"""Replies that wait for the end of their round: in memory while they are small, else on disk.

So the server's memory does not grow with the number of replies. They are read again one tensor at a time.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.numpy import save

from .arrays import Arrays

MEMORY_BYTES = 64 * 2**20
"""Replies of a round that together have more are put on disk."""
FOLDER = "inbox"


class OnDisk(Mapping[str, NDArray[Any]]):
    """Arrays in a file, read at each access."""

    def __init__(self, path: Path, arrays: Arrays) -> None:
        """Write them. No need to be durable: a round that is interrupted is asked for again."""
        self.path = path
        self.names = tuple(arrays)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(save(arrays))  # `save_file` has an error of its own for a full disk

    def __getitem__(self, name: str) -> NDArray[Any]:
        with safe_open(self.path, framework="numpy") as file:
            array: NDArray[Any] = file.get_tensor(name)
            return array

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)


class Inbox:
    """Where one round's replies are put."""

    def __init__(self, run_dir: Path, expected_bytes: int) -> None:
        """`expected_bytes`: what all replies of the round may hold together. Leftovers of another round are removed."""
        self.folder = run_dir / FOLDER
        self.spills = expected_bytes > MEMORY_BYTES
        self.clear()

    def keep(self, partition: int, arrays: Arrays) -> Mapping[str, NDArray[Any]]:
        """The same arrays, from where they are kept."""
        return OnDisk(self.folder / f"{partition}.safetensors", arrays) if self.spills else arrays

    def clear(self) -> None:
        """Forget everything that was put here."""
        clear(self.folder.parent)


def clear(run_dir: Path) -> None:
    """Remove what a round put on disk, or one that was cut off."""
    shutil.rmtree(run_dir / FOLDER, ignore_errors=True)
