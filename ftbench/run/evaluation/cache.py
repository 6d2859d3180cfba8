"""Answers that a model already gave, so that a killed evaluation goes on where it was.

lm-eval's own cache is keyed by the request alone and would serve the untuned model's answer to the tuned one; here the
key holds everything that can move an answer.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from ftbench.spec.canonical import canonical, digest

Likelihood = tuple[float, bool]
"""Log-likelihood in nats, and whether each token of the option was the likeliest."""
Value = Likelihood | str
"""An answer: a log-likelihood, or the text that was generated."""


def key(conditions: Mapping[str, object], context: str, continuation: str) -> str:
    """Digest of a request under `conditions`: model, adapter, tokenizer, precision, versions, scoring settings."""
    return digest({"conditions": dict(conditions), "context": context, "continuation": continuation})


class Cache:
    """An append-only file, one RFC 8785 line {key, value} an answer. A torn last line is cut off when it is opened.

    Other lines that can't be read are passed over: what they held is computed again.
    """

    def __init__(self, path: Path, also: Iterable[Path] = ()) -> None:
        """Open, or begin, the cache at `path`; `also`: other caches, which are only read.

        One process at a time writes a file: the run folder's lock sees to it, and that shares have files of their own.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        self._values: dict[str, Value] = {}
        for other in also:
            self._values.update(filter(None, map(_parse, other.read_bytes().split(b"\n"))))
        data = path.read_bytes() if path.exists() else b""
        whole = data.rfind(b"\n") + 1
        for line in data[:whole].split(b"\n"):
            if entry := _parse(line):
                self._values[entry[0]] = entry[1]
        self._file = path.open("ab")
        self._file.truncate(whole)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._file.close()

    def __len__(self) -> int:
        return len(self._values)

    def likelihood(self, key: str) -> Likelihood | None:
        """The log-likelihood kept under `key`, or None."""
        value = self._values.get(key)
        return value if isinstance(value, tuple) else None

    def text(self, key: str) -> str | None:
        """The text kept under `key`, or None."""
        value = self._values.get(key)
        return value if isinstance(value, str) else None

    def put(self, answers: Iterable[tuple[str, Value]]) -> None:
        """Keep a batch of answers; they are on disk when this returns."""
        for name, value in answers:
            self._values[name] = value
            self._file.write(
                canonical({"key": name, "value": value if isinstance(value, str) else list(value)}) + b"\n"
            )
        self._file.flush()
        os.fsync(self._file.fileno())


def _parse(line: bytes) -> tuple[str, Value] | None:
    try:
        match json.loads(line):
            case {"key": str(name), "value": [float() | int() as value, bool(greedy)]} if not isinstance(value, bool):
                return name, (float(value), greedy)
            case {"key": str(name), "value": str(text)}:
                return name, text
    except ValueError:
        pass
    return None
