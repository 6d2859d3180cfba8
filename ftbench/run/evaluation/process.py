"""The evaluation worker seen from outside: start it, follow it, never leave it behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ftbench import codes
from ftbench.diagnostics import Diagnostic
from ftbench.errors import FtbenchError, InvalidInput, MissingResource, RunFailed
from ftbench.run.evaluation.job import Job
from ftbench.run.processes.peaks import Peak

Progress = Callable[[str, int, int], None]
"""Phase (`untuned`, `tuned`, a reference's name; for programs the task with it), requests answered, requests in all."""

KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TZ", "PYTHONPATH", "VIRTUAL_ENV", "LD_LIBRARY_PATH", "SYSTEMROOT")
"""Environment variables that the worker inherits."""
KEPT_PREFIXES = ("CUDA_", "NVIDIA_", "FTBENCH_RUN")
"""And those that begin so: which devices are seen, and the mark of a run's processes."""
_CLASSES: dict[int, type[FtbenchError]] = {c.exit_code: c for c in (InvalidInput, MissingResource, RunFailed)}


class Worker:
    """A worker that was started. Its starter calls `end`, whatever happens; if that is killed, it ends by itself."""

    def __init__(self, job: Job, job_file: Path, log: Path, more: Mapping[str, str] | None = None) -> None:
        """Start it; `more` is added to its environment."""
        job_file.parent.mkdir(parents=True, exist_ok=True)
        log.parent.mkdir(parents=True, exist_ok=True)
        job_file.write_text(job.model_dump_json(indent=2))
        command = [sys.executable, "-P", "-m", "ftbench.run.evaluation.worker", str(job_file.absolute())]
        self._log = log
        with log.open("ab") as errors:
            self._start = errors.tell()
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                command,
                # Held open for as long as we live: the worker ends when it is closed.
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env={**environment(job), **(more or {})},
                cwd=log.parent,
                # Ctrl-C is ours to handle; the worker must not die of it half-way through a line.
                start_new_session=True,
            )

    def follow(self, on_progress: Progress) -> Peak:
        """Wait for its end; returns its peaks. Raises as `work`."""
        last = _follow(self._process, on_progress)
        code = self._process.wait()
        if last.get("event") == "finished" and code == 0:
            return Peak(int(last["peak_memory_bytes"]), int(last.get("peak_device_bytes", 0)))
        raise _error(last, code, self._log, self._start)

    def kill(self) -> None:
        """End it at once; `follow` then raises."""
        self._process.kill()

    def end(self) -> None:
        """Leave nothing of it."""
        _end(self._process)


def work(job: Job, job_file: Path, log: Path, on_progress: Progress) -> Peak:
    """Run the worker to its end and return its peaks.

    Whatever happens here, the exceptions of `on_progress` and Ctrl-C among them, no process is left; if this process
    is killed, the worker ends by itself. Raises what the worker raised, or RunFailed (FTB560) with the log's end.
    """
    worker = Worker(job, job_file, log)
    try:
        return worker.follow(on_progress)
    finally:
        worker.end()


def environment(job: Job) -> dict[str, str]:
    """A clean environment: no network for the libraries, fixed threads, the store's roots."""
    kept = {name: value for name, value in os.environ.items() if name in KEPT or name.startswith(KEPT_PREFIXES)}
    threads = str(job.threads)
    return {
        **kept,
        "FTBENCH_STORE": os.pathsep.join(job.stores),
        # Programs are run by the parent, in the sandbox, not by the harness hook.
        "FTBENCH_PROGRAMS": "apart",
        "HF_HUB_OFFLINE": "1",
        "HF_DATASETS_OFFLINE": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "TRANSFORMERS_OFFLINE": "1",
        "TRANSFORMERS_VERBOSITY": "warning",
        "TOKENIZERS_PARALLELISM": "false",
        "CUBLAS_WORKSPACE_CONFIG": ":4096:8",
        "OMP_NUM_THREADS": threads,
        "MKL_NUM_THREADS": threads,
        "PYTHONHASHSEED": "0",
        "PYTHONUNBUFFERED": "1",
    }


def _follow(process: subprocess.Popen[bytes], on_progress: Progress) -> dict[str, Any]:
    """Read the worker's lines until it closes its output; the last one that is not progress, or an empty one.

    A line that was cut off, because the worker was killed, is none.
    """
    last: dict[str, Any] = {}
    assert process.stdout is not None
    for line in process.stdout:
        if not line.endswith(b"\n"):
            break
        said = json.loads(line)
        if said["event"] == "progress":
            on_progress(said["phase"], said["done"], said["total"])
        else:
            last = said
    return last


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.kill()
        process.wait()
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            stream.close()


def _error(last: dict[str, Any], code: int, log: Path, start: int) -> FtbenchError:
    if last.get("event") == "error":
        found = [Diagnostic(d["code"], d["message"], hint=d["hint"]) for d in last["diagnostics"]]
        return _CLASSES.get(last["exit_code"], RunFailed)(found)
    with log.open("rb") as file:
        file.seek(start)
        tail = deque((line.decode("utf-8", "replace").strip() for line in file), maxlen=3)
    if code == -signal.SIGKILL:
        message = "the evaluation's process was killed, most likely because memory ran out"
        hint = "free memory, or choose a smaller base model; what was answered is kept and is not asked again"
        return RunFailed(Diagnostic(codes.OUT_OF_MEMORY, message, hint=hint))
    message = f"the evaluation ended with exit code {code}: {' | '.join(line for line in tail if line)}"
    return RunFailed(Diagnostic(codes.WORKER_FAILED, message, hint=f"the whole log is {log}"))
