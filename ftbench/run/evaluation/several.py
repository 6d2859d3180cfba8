"""Several evaluation workers at once, one device each: they fill the cache, and one more reads the answers from it.

Batches are made of all requests before they are shared out, so each is computed in the same company as by one worker.
lm-eval's own ways over several devices (accelerate, vLLM) form other batches, or compute with other kernels, and give
other bits. The last worker loads the model once more: the price of having one place that reads answers.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path

from ftbench.run.engines import devices
from ftbench.run.evaluation.job import Job
from ftbench.run.evaluation.process import Progress, Worker
from ftbench.run.processes.peaks import Peak, together

VISIBLE = "CUDA_VISIBLE_DEVICES"


def work_shares(job: Job, workers: int, folder: Path, logs: Path, on_progress: Progress) -> Peak:
    """Let `workers` processes compute every answer into caches beside the job's; returns their peaks together.

    The first one's progress is told. When one fails the others are ended. Raises as `eval_process.work`.
    """
    seen, whole = visible(), Path(job.cache)
    caches = [str(whole.with_stem(f"{whole.stem}-{number}")) for number in range(workers)]
    known = [*found_beside(whole), *([str(whole)] if whole.exists() else [])]
    started: list[Worker] = []
    failed: list[BaseException] = []
    peaks: list[Peak] = []

    def follow(worker: Worker, told: Progress) -> None:
        try:
            peaks.append(worker.follow(told))
        except BaseException as error:  # re-raised below, in the thread that asked
            failed.append(error)
            for one in started:
                one.kill()

    try:
        for number in range(workers):
            own = caches[number]
            told = {"share": number, "shares": workers, "cache": own, "also": [one for one in known if one != own]}
            more = {VISIBLE: seen[number % len(seen)]} if seen else {}
            name = f"job-{number}.json"
            started.append(Worker(job.model_copy(update=told), folder / name, logs / f"evaluate-{number}.log", more))
        threads = [threading.Thread(target=follow, args=(one, _silent), daemon=True) for one in started[1:]]
        for thread in threads:
            thread.start()
        follow(started[0], on_progress)
        for thread in threads:
            thread.join()
    finally:
        for one in started:
            one.end()
    if failed:
        raise failed[0]
    return together(peaks)


def found_beside(cache: Path) -> list[str]:
    """Caches that shares of this or an earlier evaluation filled, beside the evaluation's own."""
    return sorted(map(str, cache.parent.glob(f"{cache.stem}-*.jsonl")))


def visible() -> list[str]:
    """The CUDA devices that may be used, as CUDA_VISIBLE_DEVICES names them; empty where there is none."""
    found = devices.found()
    named = [name for name in os.environ.get(VISIBLE, "").split(",") if name]
    return named[: len(found)] or [str(number) for number in range(len(found))]


def _silent(_phase: str, _done: int, _total: int) -> None:
    pass
