"""The operator's own limits: on a run's time and memory. Reaching one ends the run as incomplete, to be resumed.

In training the app is asked to stop before its next round, so that the ledger tells; if that round takes too long to
end, or the run is past its training, everything is stopped at once. Either way what was committed is kept.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from ftbench import codes
from ftbench.atomic import write_file
from ftbench.diagnostics import Diagnostic, Place
from ftbench.errors import FtbenchError, RunIncomplete
from ftbench.run.processes import tree
from ftbench.run.processes.tail import JsonTail
from ftbench.run.rundir import Limits, RunDir

REQUEST = "stop.json"
"""File in the run's folder by which the app is asked to stop; the app knows the same name."""
LOOK_SECONDS = 2.0
"""Between two looks: adding up the memory of all processes takes some hundredths of a second."""
GIB = 2**30
APP_CODE = "FTB557"
"""What the app says when it stopped for the request."""

Kind = Literal["seconds", "memory", "device"]
GRACE: dict[Kind, float] = {"seconds": 120.0, "memory": 5.0, "device": 120.0}
"""Seconds that a round has to end by itself; memory that grows does not wait."""


@dataclass(frozen=True, slots=True)
class Reached:
    """A limit that was reached."""

    kind: Kind
    option: str
    detail: str
    """What was measured against what."""


class Guard:
    """Watches one start of a run."""

    def __init__(
        self,
        run: RunDir,
        limits: Limits,
        spent: float,
        *,
        memory: Callable[[str], int] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`spent`: seconds of the run's earlier starts. `memory`: resident bytes of the processes with a marker."""
        self.run = run
        self.limits = limits
        self.reached: Reached | None = None
        self._marker = run.marker()
        self._spent = spent
        self._memory = memory or resident
        self._clock = clock
        self._began = clock()
        self._looked = float("-inf")
        self._since = 0.0
        self._rounds = JsonTail(run.measurements)
        self._rounds.read()  # an earlier start's peaks say nothing of this one

    def begin(self) -> None:
        """Forget an earlier start's request. Raises RunIncomplete (FTB510) where the time is used up already."""
        (self.run.path / REQUEST).unlink(missing_ok=True)
        self.check(orderly=False)

    def check(self, *, orderly: bool) -> None:
        """Look, not too often. `orderly`: the app is asked to stop first, and given time.

        Raises RunIncomplete (FTB510) once a limit is reached and there is nothing to wait for.
        """
        now = self._clock()
        if self.reached is None:
            if now - self._looked < LOOK_SECONDS:
                return
            self._looked = now
            self.reached = self._look(now)
            if self.reached is None:
                return
            self._since = now
            if orderly:
                request = json.dumps({"detail": self.reached.detail}).encode()
                write_file(self.run.path / REQUEST, request + b"\n")
        if not orderly or now - self._since > GRACE[self.reached.kind]:
            raise RunIncomplete(self.diagnostic())

    def ended(self, error: FtbenchError) -> FtbenchError:
        """What to raise for how training ended: the limit's own words where it was for the limit."""
        ours = (APP_CODE, codes.OPERATOR_LIMIT)
        if self.reached is not None and any(one.code in ours for one in error.diagnostics):
            return RunIncomplete(self.diagnostic())
        return error

    def diagnostic(self) -> Diagnostic:
        """What was reached and how to go on. Only after a limit was."""
        assert self.reached is not None
        hint = f"what was committed is kept; `ftbench run --resume {self.run.path} {self.reached.option} N` goes on "
        hint += "with a higher limit"
        return Diagnostic(codes.OPERATOR_LIMIT, f"stopped: {self.reached.detail}", Place(str(self.run.path)), hint)

    def _look(self, now: float) -> Reached | None:
        limits = self.limits
        seconds = self._spent + now - self._began
        if limits.max_seconds is not None and seconds >= limits.max_seconds:
            detail = f"{seconds:.0f} s of wall time in all starts, the operator's limit is {limits.max_seconds:g}"
            return Reached("seconds", "--max-seconds", detail)
        if limits.max_memory_gib is not None:
            used = self._memory(self._marker)
            if used > limits.max_memory_gib * GIB:
                detail = f"{used / GIB:.2f} GiB resident in all processes, the operator's limit is "
                return Reached("memory", "--max-memory", detail + f"{limits.max_memory_gib:g}")
        if limits.max_device_memory_gib is not None:
            most = max((int(line.get("peak_device_bytes") or 0) for line in self._rounds.read()), default=0)
            if most > limits.max_device_memory_gib * GIB:
                detail = f"{most / GIB:.2f} GiB on the accelerator in a round, the operator's limit is "
                return Reached("device", "--max-device-memory", detail + f"{limits.max_device_memory_gib:g}")
        return None


def resident(marker: str) -> int:
    """Bytes resident in this process and in all that carry the marker; a page that two share counts for both."""
    import psutil

    total = psutil.Process().memory_info().rss
    for process in [*tree.marked(marker), *tree.marked(tree.beside(marker))]:
        try:
            total += process.memory_info().rss
        except psutil.Error:  # it ended in between
            continue
    return int(total)
