"""The ledger: an append-only, hash-chained record of the run. A line that is written and synced is the commit."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import rfc8785

from .errors import AppError
from .files import append_line, truncate

DOMAIN = b"ftbench/ledger/v1\n"
Body = Mapping[str, Any]


class Ledger:
    """The lines on disk and the place where the next one goes."""

    def __init__(self, path: Path, spec_hash: str) -> None:
        """Read what is there. The remains of an interrupted last line are cut off.

        Raises AppError where the file is no chain that begins with this spec hash.
        """
        self.path = path
        self.bodies: list[Body] = []
        self._next = hashlib.sha256(DOMAIN + spec_hash.encode()).hexdigest()
        data = path.read_bytes() if path.exists() else b""
        size = 0
        for line in data.splitlines(keepends=True):
            last = size + len(line) == len(data)
            body = self._parse(line)
            if body is None:
                if not last:
                    raise self._broken()
                truncate(path, size)
                break
            self._take(line, body)
            size += len(line)

    def append(self, body: Body) -> None:
        """Write one event and return when it is on disk."""
        line = rfc8785.dumps({"seq": len(self.bodies), "prev": self._next, "body": dict(body)}) + b"\n"
        append_line(self.path, line)
        self._take(line, body)

    def rounds(self) -> list[Body]:
        """The committed rounds in order."""
        return [body for body in self.bodies if body["event"] == "round"]

    @property
    def started(self) -> Body | None:
        """The conditions of the run, or None before its first start."""
        return self.bodies[0] if self.bodies else None

    @property
    def finished(self) -> bool:
        """Whether the run is whole."""
        return bool(self.bodies) and self.bodies[-1]["event"] == "finished"

    def _take(self, line: bytes, body: Body) -> None:
        self.bodies.append(body)
        self._next = hashlib.sha256(line).hexdigest()

    def _parse(self, line: bytes) -> Body | None:
        """The line's event; None where it is not whole; AppError where it is whole and not the next of the chain."""
        if not line.endswith(b"\n"):
            return None
        try:
            value = json.loads(line)
        except ValueError:
            return None
        try:
            body: Body = value["body"]
            whole = rfc8785.dumps(value) + b"\n" == line
            chained = value["seq"] == len(self.bodies) and value["prev"] == self._next
            begun = (body["event"] == "started") == (not self.bodies)
            counted = body["event"] != "round" or body["round"] == len(self.rounds()) + 1
        except (KeyError, TypeError, ValueError):
            raise self._broken() from None
        if not (whole and chained and begun and counted) or self.finished:
            raise self._broken()
        return body

    def _broken(self) -> AppError:
        return AppError(
            "FTB550",
            f"{self.path} does not hold together from line {len(self.bodies) + 1} on",
            "it was edited, or belongs to another benchmark; start a new run in another folder",
        )
