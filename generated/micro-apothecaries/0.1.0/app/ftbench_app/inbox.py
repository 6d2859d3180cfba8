"""Replies that wait for the end of their round: in memory while they are small, else on disk.

So the server's memory does not grow with the number of replies. They are read again one tensor at a time.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy
from numpy.typing import NDArray

from .arrays import Arrays

MEMORY_BYTES = 64 * 2**20
"""Replies of a round that together have more are put on disk."""
FOLDER = "inbox"


class OnDisk(Mapping[str, NDArray[Any]]):
    """Arrays in a file, one after another as they lie in memory, read at each access."""

    def __init__(self, path: Path, arrays: Arrays) -> None:
        """Write them. No need to be durable: a round that is interrupted is asked for again."""
        self.path = path
        self._places: dict[str, tuple[int, numpy.dtype[Any], tuple[int, ...]]] = {}
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            for name, array in arrays.items():
                self._places[name] = (file.tell(), array.dtype, array.shape)
                file.write(numpy.ascontiguousarray(array).reshape(-1).view(numpy.uint8).data)

    def __getitem__(self, name: str) -> NDArray[Any]:
        offset, dtype, shape = self._places[name]
        count = int(numpy.prod(shape, dtype=int))
        return numpy.fromfile(self.path, dtype=dtype, count=count, offset=offset).reshape(shape)

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)


class Inbox:
    """Where one round's replies are put."""

    def __init__(self, run_dir: Path, expected_bytes: int) -> None:
        """`expected_bytes`: what all replies of the round may hold together. Leftovers of another round are removed."""
        self.folder = run_dir / FOLDER
        self.spills = expected_bytes > MEMORY_BYTES
        self.clear()

    def keep(self, partition: int, arrays: Arrays) -> Mapping[str, NDArray[Any]]:
        """The same arrays, from where they are kept."""
        return OnDisk(self.path_of(partition), arrays) if self.spills else arrays

    def drop(self, partition: int) -> None:
        """Forget what was put here for that client."""
        self.path_of(partition).unlink(missing_ok=True)

    def path_of(self, partition: int) -> Path:
        """Where that client's reply waits, if it waits on disk."""
        return self.folder / f"{partition}.arrays"

    def clear(self) -> None:
        """Forget everything that was put here."""
        clear(self.folder.parent)


def clear(run_dir: Path) -> None:
    """Remove what a round put on disk, or one that was cut off."""
    shutil.rmtree(run_dir / FOLDER, ignore_errors=True)
