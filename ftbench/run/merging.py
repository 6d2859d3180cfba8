"""What is deployed: a run's adapter merged into unquantised base weights, and its score on the run's own items.

A score belongs to an adapter beside the weights that it was trained on, often of 4 bits; what is served is one set of
weights in bfloat16. Merging is done in a process of its own; then the merged model answers the same items, and the
difference is told item by item.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from ftbench import codes
from ftbench.atomic import fresh_folder, sync_file, write_file
from ftbench.data.store import Store
from ftbench.diagnostics import Diagnostic, Place
from ftbench.errors import InvalidInput, MissingResource, RunFailed
from ftbench.result import samples as files
from ftbench.result.documents import Sample, Scores
from ftbench.result.merged_card import merged_card
from ftbench.result.score import score
from ftbench.run import conclude
from ftbench.run.evaluation.evaluate import evaluate_folder
from ftbench.run.evaluation.process import Progress
from ftbench.run.kernels import model_in_force
from ftbench.run.processes.tied import run_tied
from ftbench.run.rundir import RunDir
from ftbench.run.summary import RunOutcome

Dtype = Literal["bfloat16", "float32"]
CONVERTER = "convert_hf_to_gguf.py"
"""llama.cpp's own script."""
CARD = "README.md"
"""The model card beside the weights: it names adapter, base model and element type."""


def merge(run: RunDir, store: Store, out: Path, dtype: Dtype) -> RunOutcome:
    """Write the merged model to `out`: safetensors, tokenizer, model card. Returns the run's outcome.

    Where this very model lies there already, whole, it stays. Raises InvalidInput (FTB917) where the run is not whole
    or something else lies at `out`, MissingResource for a base model that is not here, RunFailed where the process
    fails.
    """
    outcome = conclude.finished(run)
    if outcome is None:
        hint = f"finish it: ftbench run --resume {run.path}"
        raise InvalidInput(Diagnostic(codes.MERGE, "this run has no bundle yet", Place(str(run.path)), hint))
    entry = run.entry()
    card = merged_card(outcome.result, entry, dtype)
    if out.exists() and any(out.iterdir() if out.is_dir() else [out]):
        if is_ours(out, card):  # whoever merged was stopped while it was scored
            return outcome
        raise InvalidInput(
            Diagnostic(codes.MERGE, "something lies there already", Place(str(out)), "name another folder")
        )
    base = store.model_path(store.model_digest(entry.model), f"{entry.model.name}@{entry.model.revision}")
    out.parent.mkdir(parents=True, exist_ok=True)
    with fresh_folder(out) as folder:
        order = {"base": str(base.absolute()), "adapter": str(run.path / "adapter"), "out": str(folder), "dtype": dtype}
        _work(order, run)
        for path in sorted(base.iterdir()):  # the tokenizer, as the base model has it
            weights = path.name.endswith((".safetensors", ".safetensors.index.json"))
            if path.is_file() and not weights and not (folder / path.name).exists():
                shutil.copyfile(path, folder / path.name)
        write_file(folder / CARD, card)
        for path in folder.iterdir():
            sync_file(path)
    return outcome


def compare(
    run: RunDir, store: Store, merged: Path, dtype: Dtype, on_progress: Progress
) -> tuple[Scores, float | None]:
    """Scores of the merged model (`tuned`) against the run's adapter (`untuned`) on the same items, and the largest
    difference of a log-likelihood in nats; None where no task has any. Raises as `evaluate_run`."""
    plan = run.plan()
    evaluation = plan.typed_spec().evaluation
    held = model_in_force(plan.typed_spec(), run.entry())
    held = held.model_copy(update={"dtype": dtype, "quantization": None})
    answers = evaluate_folder(run.compiled, merged, held, store=store, out=run.path / "merged", on_progress=on_progress)
    paired: dict[str, list[Sample]] = {}
    for task in evaluation.tasks:
        before = files.parse((run.evaluation / "samples" / f"{task.name}.jsonl.gz").read_bytes(), task.name)
        paired[task.name] = [
            sample.model_copy(update={"untuned": sample.tuned, "tuned": asked.answer, "references": {}})
            for sample, asked in zip(before, answers[task.name], strict=True)
        ]
    return score(paired, evaluation), furthest(paired)


def furthest(paired: Mapping[str, Sequence[Sample]]) -> float | None:
    """Largest difference between the two models' log-likelihoods of one option."""
    found = [
        abs(a - b)
        for lines in paired.values()
        for sample in lines
        for a, b in zip(sample.untuned.loglikelihoods or [], sample.tuned.loglikelihoods or [], strict=True)
    ]
    return max(found, default=None)


def to_gguf(merged: Path, llama_cpp: Path, out: Path) -> None:
    """By llama.cpp's own converter, in its checkout `llama_cpp`. Raises MissingResource (FTB917) where it is not
    there, RunFailed (FTB917) where it fails."""
    script = llama_cpp / CONVERTER if llama_cpp.is_dir() else llama_cpp
    if not script.is_file():
        hint = "give a checkout of llama.cpp, or the script itself"
        raise MissingResource(Diagnostic(codes.MERGE, f"there is no {CONVERTER}", Place(str(llama_cpp)), hint))
    part = out.with_name(f".part-{out.name}")
    worker = [sys.executable, "-P", "-m", "ftbench.run.convert_worker"]
    log = part.with_name(f"{part.name}.log")
    try:
        status = run_tied([*worker, str(script), str(merged), "--outfile", str(part)], log, os.environ)
        if status or not part.is_file():
            tail = " | ".join(log.read_text("utf-8", "replace").strip().splitlines()[-3:])
            raise RunFailed(Diagnostic(codes.MERGE, f"llama.cpp's converter failed: {tail}", Place(str(script))))
        sync_file(part)
        part.replace(out)
    finally:
        part.unlink(missing_ok=True)
        log.unlink(missing_ok=True)


def is_ours(out: Path, card: bytes) -> bool:
    """Whether a folder is what this merge makes. It came there by a rename, so it is whole."""
    return (out / CARD).is_file() and (out / CARD).read_bytes() == card and any(out.glob("*.safetensors"))


def _offline() -> dict[str, str]:
    return {**os.environ, "HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}


def _work(order: Mapping[str, str], run: RunDir) -> None:
    run.logs.mkdir(exist_ok=True)
    command = [sys.executable, "-P", "-m", "ftbench.run.merge_worker", json.dumps(order)]
    log = run.logs / "merge.log"
    status = run_tied(command, log, _offline())
    if status:
        tail = " | ".join(log.read_text("utf-8", "replace").strip().splitlines()[-2:])
        raise RunFailed(Diagnostic(codes.MERGE, f"merging failed: {tail}", Place(str(log))))
