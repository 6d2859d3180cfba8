"""The evaluation's own process: `python -m ftbench.run.evaluate_worker JOB.json`.

It speaks JSON lines on standard output (progress, error, finished) and nothing else there; everything that the
harness and its libraries print goes to standard error. It ends when its standard input is closed, which the system
does for a parent that was killed.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import resource
import sys
import threading
import traceback
from pathlib import Path
from typing import IO, Any

from ftbench.compile.plan import Plan
from ftbench.diagnostics import Diagnostic
from ftbench.errors import FtbenchError, InvalidInput, MissingResource, RunFailed
from ftbench.result.models import Answer
from ftbench.result.score import chosen
from ftbench.run import eval_codes as codes
from ftbench.run.eval_cache import Cache
from ftbench.run.eval_job import Asked, Job, Phase, write_answers


def main(path: Path) -> int:
    """Carry out the job in `path`; the exit code is that of the error class, 0 when all phases are written."""
    out = _claim_stdout()
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        try:
            _evaluate(Job.model_validate_json(path.read_bytes()), out)
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
    _say(out, event="finished", peak_memory_bytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
    return 0


def _evaluate(job: Job, out: IO[str]) -> None:
    import torch

    from ftbench.run import eval_model

    torch.set_num_threads(job.threads)
    torch.use_deterministic_algorithms(True, warn_only=True)
    plan = Plan.model_validate_json((Path(job.compiled) / "plan.json").read_bytes())
    folder = Path(job.model)
    model, tokenizer = eval_model.load_base(folder)
    conditions: dict[str, object] = {
        "request": "loglikelihood",
        "scoring": "prompt and option tokenised apart",
        "bos": plan.typed_spec().data.bos,
        "model": job.model_digest,
        "tokenizer": eval_model.tokenizer_digest(folder),
        "dtype": "float32",
        "device": str(model.device.type),
        "threads": job.threads,
        "stack": {name: importlib.metadata.version(name) for name in plan.stack if _installed(name)},
    }
    with Cache(Path(job.cache)) as cache:
        for phase in job.phases:
            adapter = None
            if phase.adapter is not None:
                adapter = eval_model.adapter_digest(Path(phase.adapter))
                model = eval_model.attach(model, Path(phase.adapter))
            told = {**conditions, "adapter": adapter}
            answers = _ask(job, phase, plan, model, tokenizer, cache=cache, conditions=told, out=out)
            write_answers(Path(job.answers) / f"{phase.name}.jsonl", answers)


def _ask(
    job: Job, phase: Phase, plan: Plan, model: Any, tokenizer: Any, *, cache: Cache, conditions: Any, out: IO[str]
) -> list[Asked]:
    """Run the compiled tasks through lm-eval and read items and answers from its samples.

    `lm_eval.evaluate` is what `simple_evaluate` calls; the latter would only seed few-shot sampling, which there is
    none of, and spend seconds on a report of the machine.
    """
    from lm_eval.evaluator import evaluate
    from lm_eval.tasks import TaskManager

    from ftbench.run.eval_lm import scoring_lm

    def progress(done: int, total: int) -> None:
        _say(out, event="progress", phase=phase.name, done=done, total=total)

    lm = scoring_lm(
        model,
        tokenizer,
        bos=plan.typed_spec().data.bos,
        batch_size=job.batch_size,
        cache=cache,
        conditions=conditions,
        on_progress=progress,
    )
    names = [task.name for task in plan.typed_spec().evaluation.tasks]
    try:
        manager = TaskManager(include_path=str(Path(job.compiled) / "tasks"), include_defaults=False)
        tasks = manager.load(names)
    except FileNotFoundError as error:
        raise MissingResource(Diagnostic(codes.ITEMS_UNFIT, str(error), hint="see the command above")) from error
    except ValueError as error:
        raise InvalidInput(Diagnostic(codes.ITEMS_UNFIT, str(error))) from error
    results = evaluate(lm, tasks, limit=job.limit, bootstrap_iters=0, log_samples=True)
    asked: list[Asked] = []
    for name in names:
        answers = sorted((_asked(name, sample) for sample in results["samples"][name]), key=lambda a: a.index)
        _check_accuracy(name, answers, results["results"][name]["acc,none"])
        asked += answers
    return asked


def _asked(task: str, sample: dict[str, Any]) -> Asked:
    """A sample of lm-eval, with prompt and options as they were in its requests."""
    requests = sample["arguments"]
    prompts = {prompt for prompt, _ in requests}
    if len(prompts) != 1:
        raise RuntimeError(f"lm-eval asked item {sample['doc_id']} of task {task} with several prompts")
    return Asked(
        task=task,
        index=sample["doc"]["index"],
        item=sample["doc"]["item"],
        prompt=prompts.pop(),
        options=[option for _, option in requests],
        target=sample["target"],
        answer=Answer(loglikelihoods=[value for value, _ in sample["filtered_resps"]]),
    )


def _check_accuracy(task: str, answers: list[Asked], theirs: float) -> None:
    """lm-eval and our scorer must find the same number of right answers."""
    ours = sum(chosen(a.answer) == a.target for a in answers)
    if round(theirs * len(answers)) != ours:
        message = f"task {task}: lm-eval's accuracy is {theirs}, its samples give {ours} of {len(answers)}"
        raise RunFailed(Diagnostic(codes.HARNESS_DISAGREES, message))


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
