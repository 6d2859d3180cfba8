"""Reading files that another process is appending lines to: only whole lines, each one once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ftbench.result.documents import Finished, LedgerLine, Stopped


class Tail:
    """Whole lines of a file as they come. A file that shrank (a torn line was cut off) is read on from its end."""

    def __init__(self, path: Path, *, skip: bool = False) -> None:
        """`skip` passes over what is there already."""
        self.path = path
        self._read = path.stat().st_size if skip and path.exists() else 0

    def lines(self) -> list[bytes]:
        """Lines that were completed since the last call; none where there is no file."""
        try:
            with self.path.open("rb") as file:
                size = file.seek(0, 2)
                self._read = min(self._read, size)
                file.seek(self._read)
                data = file.read()
        except OSError:
            return []
        whole = data[: data.rfind(b"\n") + 1]
        self._read += len(whole)
        return whole.splitlines()


class LedgerTail:
    """The ledger's events as they come. It is for showing progress: the chain is checked elsewhere."""

    def __init__(self, path: Path) -> None:
        self._tail = Tail(path)

    def read(self) -> list[LedgerLine]:
        """Lines since the last call that can be understood."""
        found = []
        for line in self._tail.lines():
            try:
                found.append(LedgerLine.model_validate_json(line))
            except ValidationError:
                continue
        return found

    def ended(self) -> bool:
        """Whether a line that ends a run has come since the last call."""
        return any(isinstance(line.body, Finished | Stopped) for line in self.read())


class StepTail:
    """Steps that clients of a round have taken, by the lines that they append while they train."""

    def __init__(self, path: Path) -> None:
        """What is there already is of an earlier start, and passed over."""
        self._tail = JsonTail(path, skip=True)
        self._round = 0
        self._steps: dict[int, int] = {}

    def read(self, number: int) -> int:
        """Steps of all clients in this round, as far as they have told. One that begins anew counts anew."""
        if number != self._round:
            self._round, self._steps = number, {}
        for line in self._tail.read():
            partition, step = line.get("partition"), line.get("step")
            if line.get("round") == number and isinstance(partition, int) and isinstance(step, int):
                self._steps[partition] = step
        return sum(self._steps.values())


class JsonTail:
    """Objects of a JSON-lines file as they come."""

    def __init__(self, path: Path, *, skip: bool = False) -> None:
        """`skip` passes over what is there already."""
        self._tail = Tail(path, skip=skip)

    def read(self) -> list[dict[str, Any]]:
        """Objects since the last call; lines that are none are passed over."""
        found = []
        for line in self._tail.lines():
            try:
                value = json.loads(line)
            except ValueError:
                continue
            if isinstance(value, dict):
                found.append(value)
        return found
