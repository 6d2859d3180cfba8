"""The evaluation's own process: `python -m ftbench.run.evaluation.worker JOB.json`.

It speaks JSON lines on standard output (progress, error, finished) and nothing else there; everything that the
harness and its libraries print goes to standard error. It ends when its standard input is closed, which the system
does for a parent that was killed.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import sys
import threading
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any

from ftbench import codes
from ftbench.compile.plan import PLAN, Plan
from ftbench.diagnostics import Diagnostic
from ftbench.errors import FtbenchError, InvalidInput, MissingResource, RunFailed
from ftbench.run.evaluation.answers import harness_tasks, read
from ftbench.run.evaluation.cache import Cache
from ftbench.run.evaluation.job import AskedItem, Job, Phase, write_answers
from ftbench.run.evaluation.steps import Settings, Steps
from ftbench.run.processes import peaks
from ftbench.spec.tasks import Task


def main(path: Path) -> int:
    """Carry out the job in `path`; the exit code is that of the error class, 0 when all phases are written."""
    out = _claim_stdout()
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        try:
            grown = _evaluate(Job.model_validate_json(path.read_bytes()), out)
        except ImportError as error:
            message = f"package {error.name or error} is not installed"
            hint = "pip install 'ftbench[run]'"
            raise MissingResource(Diagnostic(codes.PACKAGE_MISSING, message, hint=hint)) from error
        except (MemoryError, RuntimeError) as error:
            if not _out_of_memory(error):
                raise
            hint = "give a smaller batch size, or choose a smaller base model"
            raise RunFailed(Diagnostic(codes.OUT_OF_MEMORY, str(error).split("\n")[0], hint=hint)) from error
    except FtbenchError as error:
        traceback.print_exc()
        found = [{"code": d.code, "message": d.message, "hint": d.hint} for d in error.diagnostics]
        _say(out, event="error", exit_code=error.exit_code, diagnostics=found)
        return error.exit_code
    peak = peaks.here()
    # What processes made of this one share with it is not counted again.
    _say(out, event="finished", peak_memory_bytes=peak.memory + grown, peak_device_bytes=peak.device)
    return 0


def _evaluate(job: Job, out: IO[str]) -> int:
    """Write the answers; returns the bytes that processes beside this one took at most."""
    import torch

    from ftbench.run.evaluation import model as eval_model

    torch.set_num_threads(job.threads)
    torch.use_deterministic_algorithms(True, warn_only=True)
    plan = Plan.model_validate_json((Path(job.compiled) / PLAN).read_bytes())
    spec, folder = plan.typed_spec(), Path(job.model)
    block = job.held or spec.model
    model, tokenizer = eval_model.load_base(
        folder, dtype=block.dtype, quantization=block.quantization, attention=block.attention
    )
    conditions: dict[str, object] = {
        "request": "loglikelihood",
        "scoring": "prompt and option tokenised apart",
        "bos": spec.data.bos,
        "chat_template": spec.data.chat_template,
        "model": job.model_digest,
        "tokenizer": eval_model.tokenizer_digest(folder),
        "dtype": block.dtype,
        "quantization": block.quantization.model_dump(mode="json") if block.quantization else None,
        "attention": block.attention,
        "device": str(model.device.type),
        "threads": job.threads,
        "stack": {name: importlib.metadata.version(name) for name in plan.stack if _installed(name)},
    }
    grown: list[int] = []
    with Cache(Path(job.cache), map(Path, job.also)) as cache:
        for phase in job.phases:
            told = {**conditions, "adapter": None}
            if phase.adapter is None:
                answers = _ask(job, phase, plan, model, tokenizer, cache=cache, conditions=told, out=out, grown=grown)
            else:
                told["adapter"] = eval_model.adapter_digest(Path(phase.adapter))
                with eval_model.tuned(model, Path(phase.adapter), Path(job.compiled)) as (asked, layers):
                    told["layers"] = layers
                    answers = _ask(
                        job, phase, plan, asked, tokenizer, cache=cache, conditions=told, out=out, grown=grown
                    )
            if job.shares == 1:
                write_answers(Path(job.answers) / f"{phase.name}.jsonl", answers)
    return max(grown, default=0)


def _ask(
    job: Job,
    phase: Phase,
    plan: Plan,
    model: Any,
    tokenizer: Any,
    *,
    cache: Cache,
    conditions: Any,
    out: IO[str],
    grown: list[int],
) -> list[AskedItem]:
    """Run the compiled tasks through lm-eval and read items and answers from its samples.

    `lm_eval.evaluate` is what `simple_evaluate` calls; the latter would only seed few-shot sampling, which there is
    none of, and spend seconds on a report of the machine.
    """
    from lm_eval.evaluator import evaluate
    from lm_eval.tasks import TaskManager

    from ftbench.run.evaluation.lm import scoring_lm

    spec = plan.typed_spec()
    steps: dict[tuple[str, Settings], Steps] | None = {} if job.steps else None
    lm = scoring_lm(
        model,
        tokenizer,
        bos=spec.data.bos,
        chat_template=spec.data.chat_template,
        batch_size=job.batch_size,
        share=(job.share, job.shares),
        cache=cache,
        conditions=conditions,
        on_progress=_progress(phase.name, out),
        steps=steps,
        processes=job.processes,
        grown=grown,
    )
    names = [name for task in spec.evaluation.tasks for name in harness_tasks(task)]
    try:
        manager = TaskManager(include_path=str(Path(job.compiled) / "tasks"), include_defaults=False)
        tasks = manager.load(names)
    except FileNotFoundError as error:
        raise MissingResource(Diagnostic(codes.ITEMS_UNFIT, str(error), hint="see the command above")) from error
    except ValueError as error:
        raise InvalidInput(Diagnostic(codes.ITEMS_UNFIT, str(error))) from error
    only = job.items and {name: job.items[task.name] for task in spec.evaluation.tasks for name in harness_tasks(task)}
    results = evaluate(lm, tasks, limit=job.limit, samples=only, bootstrap_iters=0, log_samples=True)
    return [_sure(task, asked, steps) for task in spec.evaluation.tasks for asked in read(task, results)]


def _sure(task: Task, asked: AskedItem, steps: Mapping[tuple[str, Settings], Steps] | None) -> AskedItem:
    """The item with how sure the model was of its text."""
    if not steps or task.generation is None:
        return asked
    settings = task.generation.max_new_tokens, tuple(task.generation.stop)
    return asked.model_copy(update={"steps": steps.get((asked.prompt, settings))})


def _progress(phase: str, out: IO[str]) -> Callable[[int, int], None]:
    """Log-likelihoods and generations are counted one kind after the other; the line goes on where it was."""
    before, last = 0, (0, 0)

    def progress(done: int, total: int) -> None:
        nonlocal before, last
        if done < last[0] or total != last[1]:
            before += last[0]
        last = done, total
        _say(out, event="progress", phase=phase, done=before + done, total=before + total)

    return progress


def _installed(name: str) -> bool:
    try:
        importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def _out_of_memory(error: BaseException) -> bool:
    text = str(error).lower()
    return isinstance(error, MemoryError) or "out of memory" in text or "can't allocate memory" in text


def _claim_stdout() -> IO[str]:
    """The real standard output for our lines alone; from here on other output goes to standard error."""
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return out


def _say(out: IO[str], **line: object) -> None:
    out.write(json.dumps(line) + "\n")
    out.flush()


def _end_with_parent() -> None:
    os.read(0, 1)  # returns when the other end is closed
    os._exit(130)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
