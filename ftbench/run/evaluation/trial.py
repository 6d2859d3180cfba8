"""What the base model's tokenizer says of a benchmark's rows and items, before anything is paid for.

It is asked in a process of its own (`trial_worker`), so that no command imports a heavy package. Test items come first,
then for each client a row that can be learnt from: what is refused is refused within seconds. Then rows are counted.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import deque
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, ValidationError

from ftbench import codes
from ftbench.diagnostics import Diagnostic
from ftbench.errors import InvalidInput, MissingResource, RunFailed
from ftbench.spec.primitives import Block

ROWS = 20_000
"""Training rows that are tokenised at most, spread evenly; of more than these the counts are a sample's."""
KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TZ", "PYTHONPATH", "VIRTUAL_ENV", "LD_LIBRARY_PATH", "SYSTEMROOT")
"""Environment variables that the process inherits."""


class Trial(Block):
    """What is asked. Paths are absolute, and what lies there has been checked against its digest."""

    model: str
    """Folder of the base model: its tokenizer and configuration are read, no weights."""
    name: str
    """What the model is called."""
    app: str | None = None
    """Folder with the compiled benchmark's app, whose code makes examples of rows; null: that of ftbench itself."""
    spec: dict[str, Any]
    """The spec with the entry's knobs in force, without what is null."""
    items: dict[str, str] = {}
    """Task → file of its items."""
    limit: Annotated[int, Field(ge=1)] | None = None
    """Only the first items of each task."""
    rows: str | None = None
    """File of the training rows; null: they are not here."""
    shares: str | None = None
    """File of the partition."""
    validation: str | None = None
    """File of the validation cut."""


class Counted(Block):
    """What becomes of the rows of one client, or of the validation cut."""

    held: int
    """Rows in all."""
    looked: int
    """Rows that were tokenised."""
    used: int
    """Rows of these that can be learnt from."""


class Told(Block):
    """One thing that stands in the way."""

    code: str
    message: str
    hint: str


class Report(Block):
    """The answer. With problems nothing is counted."""

    problems: list[Told] = []
    clients: list[Counted] = []
    """By partition id."""
    validation: Counted | None = None
    left_out: dict[str, int] = {}
    """Why → clients' rows that were looked at and left out for it."""

    @property
    def total(self) -> Counted:
        """All clients together."""
        sums = [sum(getattr(one, name) for one in self.clients) for name in ("held", "looked", "used")]
        return Counted(held=sums[0], looked=sums[1], used=sums[2])

    def lines(self) -> list[str]:
        """What is worth telling of rows; nothing where all that were looked at are used."""
        whole = self.total
        if whole.used == whole.looked:
            return []
        sampled = "" if whole.looked == whole.held else f" (spread over {whole.held:,})"
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in sorted(self.left_out.items()))
        least = min(range(len(self.clients)), key=lambda k: self.clients[k].used / max(1, self.clients[k].looked))
        worst = self.clients[least]
        return [
            f"{whole.looked - whole.used:,} of {whole.looked:,} rows{sampled} teach nothing and are left out: "
            f"{reasons}; the worst is client {least} with {worst.looked - worst.used:,} of {worst.looked:,}"
        ]


def try_tokenizer(trial: Trial, job_file: Path, log: Path, marker: str = "") -> Report:
    """Ask; the process leaves its job and log. `marker` is the run's, by which its processes are found.

    Raises InvalidInput with all that stands in the way (FTB564, FTB565, FTB568, FTB572, FTB537), MissingResource
    (FTB562), RunFailed (FTB560). No process is left, whatever happens.
    """
    return Asked(trial, job_file, log, marker).report()


class Asked:
    """A trial that goes on in its process until it is waited for or ended."""

    def __init__(self, trial: Trial, job_file: Path, log: Path, marker: str = "") -> None:
        """As `try_tokenizer`, without waiting. The process ends with this one, however that ends."""
        job_file.parent.mkdir(parents=True, exist_ok=True)
        log.parent.mkdir(parents=True, exist_ok=True)
        job_file.write_text(trial.model_dump_json(indent=1))
        self._log = log
        self._answer = job_file.with_suffix(".answer")
        # Into a file: nobody reads a pipe while the engine starts, and a full one would hold the process.
        with log.open("wb") as errors, self._answer.open("wb") as answer:
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                [sys.executable, "-P", "-m", "ftbench.run.evaluation.trial_worker", str(job_file)],
                stdin=subprocess.PIPE,  # held open for as long as we live: it ends when this is closed
                stdout=answer,
                stderr=errors,
                env=environment(marker),
                cwd=log.parent,
                start_new_session=True,
            )

    def ended(self) -> bool:
        """Whether the answer is there."""
        return self._process.poll() is not None

    def report(self) -> Report:
        """The answer, waited for; once. Raises as `try_tokenizer`. No process is left, whatever happens."""
        try:
            code = self._process.wait()
            answer = self._answer.read_bytes()
        finally:
            self.close()
        return _checked(_parse(answer, code, self._log))

    def close(self) -> None:
        """End the process where it lives. May be called twice."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._answer.unlink(missing_ok=True)


def _checked(report: Report) -> Report:
    if report.problems:
        found = [Diagnostic(one.code, one.message, hint=one.hint) for one in report.problems]
        missing = all(one.code == codes.PACKAGE_MISSING for one in report.problems)
        raise MissingResource(found) if missing else InvalidInput(found)
    return report


def _parse(answer: bytes, code: int, log: Path) -> Report:
    try:
        if code == 0:
            return Report.model_validate_json(answer)
    except ValidationError:
        pass
    with log.open(encoding="utf-8", errors="replace") as file:
        tail = " | ".join(line.strip() for line in deque(file, maxlen=3) if line.strip())
    why = "was killed, most likely because memory ran out" if code == -signal.SIGKILL else f"ended with {code}: {tail}"
    raise RunFailed(Diagnostic(codes.WORKER_FAILED, f"the process that tries the tokenizer {why}"))


def environment(marker: str) -> dict[str, str]:
    """Of a process that reads a tokenizer: offline, without a GPU, one thread."""
    kept = {name: value for name, value in os.environ.items() if name in KEPT}
    more = {"FTBENCH_RUN": marker} if marker else {}
    return {
        **kept,
        **more,
        "HF_HUB_OFFLINE": "1",
        "HF_DATASETS_OFFLINE": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "TRANSFORMERS_OFFLINE": "1",
        "TRANSFORMERS_VERBOSITY": "error",
        "TOKENIZERS_PARALLELISM": "false",
        "CUDA_VISIBLE_DEVICES": "",
        "OMP_NUM_THREADS": "1",
        "PYTHONHASHSEED": "0",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUNBUFFERED": "1",
    }
