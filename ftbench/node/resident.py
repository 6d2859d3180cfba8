"""The process that holds an app with its loaded model from round to round, as its node sees it."""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from ftbench.node import box
from ftbench.node.inside import LENGTH, write_frame
from ftbench.spec.privacy import OS_NOISE

END_SECONDS = 10.0
MAX_FRAME = 2**31
"""Bytes of an answer; protobuf takes no more."""


class Died(Exception):
    """The process ended, or had to be ended, without an answer. The message is why."""


class Resident:
    """One app's process, started when it is first asked and again after it died."""

    def __init__(
        self, app: Path, *, read: Sequence[Path], write: Path, sealed: bool, log: Path, secret_noise: bool = False
    ) -> None:
        """`secret_noise`: noise of local privacy comes from the operating system.

        Raises MissingResource (FTB516) where it is to be sealed and cannot be.
        """
        self._words = box.command(app, read=read, write=write, sealed=sealed)
        self._log = log
        self._env = box.environment() | ({OS_NOISE: "1"} if secret_noise else {})
        self._process: subprocess.Popen[bytes] | None = None

    def answer(self, said: Mapping[str, Any], content: bytes, seconds: float) -> tuple[dict[str, str], bytes]:
        """What the app answers to that message. Raises Died; the next message starts it anew."""
        try:
            process, until = self._started(), time.monotonic() + seconds
            assert process.stdin is not None and process.stdout is not None
            # What an app does not read fills the pipe, and whoever writes waits: that too ends with the time.
            late = threading.Timer(seconds, process.kill)
            late.start()
            try:
                write_frame(process.stdin, json.dumps(said).encode())
                write_frame(process.stdin, content)
            finally:
                late.cancel()
            head, data = _frame(process.stdout, until), _frame(process.stdout, until)
            found = json.loads(head)
            if not isinstance(found, dict):
                raise Died("it answered what is no answer")
            return {str(key): str(value) for key, value in found.items()}, data
        except (OSError, ValueError) as error:
            self.end()
            raise Died(f"it ended: {type(error).__name__}") from error
        except BaseException:
            self.end()
            raise

    def end(self) -> None:
        """End the process, whatever it does."""
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.wait(timeout=END_SECONDS)
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                try:
                    pipe.close()
                except OSError:
                    continue

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is not None and self._process.poll() is None:
            return self._process
        self.end()
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603  (a list of our own)
                self._words,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=self._env,
                start_new_session=True,
            )
        return self._process


def _frame(pipe: IO[bytes], until: float) -> bytes:
    (size,) = LENGTH.unpack(_bytes(pipe, LENGTH.size, until))
    if size > MAX_FRAME:
        raise Died("it answered more than any reply is")
    return _bytes(pipe, size, until)


def _bytes(pipe: IO[bytes], size: int, until: float) -> bytes:
    """So many bytes. Raises Died at the end of the pipe, and when the time is up."""
    found = bytearray()
    with selectors.DefaultSelector() as selector:
        selector.register(pipe, selectors.EVENT_READ)
        while len(found) < size:
            if not selector.select(timeout=max(0.0, until - time.monotonic())):
                raise Died("it gave no answer in time")
            part = os.read(pipe.fileno(), min(size - len(found), 1 << 20))
            if not part:
                # Whoever ends it when the time is up may be the first to see that it is.
                raise Died("it ended" if time.monotonic() < until else "it gave no answer in time")
            found += part
    return bytes(found)
