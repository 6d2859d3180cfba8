"""Our batched scoring against lm-eval's plain `hf` model with batch size 1: same model, harness, tasks and items.

    python benchmarks/evaluation.py --items 100

Prints the seconds of both sides and their ratio. That both choose the same options is checked, not assumed.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

import common
import torch
import transformers

AGREE = 0.02
"""Largest difference of an accuracy between the two sides: the harness tokenises prompt and option joined."""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=100, help="items of each task (default: 100)")
    parser.add_argument("--repeats", type=int, default=3, help="times that each side is measured (default: 3)")
    parser.add_argument("--threads", type=int, default=1, help="threads of torch (default: 1)")
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()

    logging.disable(logging.WARNING)
    from lm_eval.tasks import TaskManager

    from ftbench.compile import folder
    from ftbench.compile.compiler import compile_spec
    from ftbench.run.evaluation import model as eval_model

    world = common.world()
    spec = world.spec
    os.environ["FTBENCH_STORE"] = os.pathsep.join(str(root) for root in world.store.roots)
    model, tokenizer = eval_model.load_base(world.model)
    accuracies: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as scratch, ExitStack() as opened:
        compiled = folder.write(compile_spec(spec, world.pins), Path(scratch))
        manager = TaskManager(include_path=str(compiled / "tasks"), include_defaults=False)
        names = [task.name for task in spec.evaluation.tasks]

        def side(name: str, make: Callable[[], Any]) -> Callable[[], float]:
            def run() -> float:
                lm, tasks = make(), manager.load(names)
                return common.timed(lambda: accuracies.update({name: score(lm, tasks, asked.items)}))

            return run

        sides = {
            "ftbench, batched": side("ours", lambda: batched(model, tokenizer, spec.data.bos, opened)),
            "lm-eval hf, batch size 1": side("theirs", lambda: plain(model, tokenizer, spec.data.bos)),
        }
        seconds = common.in_turn(sides, asked.repeats)
    apart = max(abs(accuracies["ours"][name] - accuracies["theirs"][name]) for name in names)
    if apart > AGREE:
        sys.exit(f"the two sides are no comparison: accuracies {accuracies}")
    facts = {"tasks": names, "items": asked.items, "accuracies": accuracies}
    common.report("evaluation", seconds, facts)


def batched(model: Any, tokenizer: Any, bos: bool, opened: ExitStack) -> Any:
    """The model as `ftbench run` asks it, with an empty cache on disk."""
    from ftbench.run.evaluation.cache import Cache
    from ftbench.run.evaluation.lm import scoring_lm

    folder = opened.enter_context(tempfile.TemporaryDirectory())
    cache = opened.enter_context(Cache(Path(folder) / "cache.jsonl"))
    return scoring_lm(
        model, tokenizer, bos=bos, batch_size=None, cache=cache, conditions={}, on_progress=lambda done, total: None
    )


def plain(model: Any, tokenizer: Any, bos: bool) -> Any:
    """The harness's own model."""
    from lm_eval.models.huggingface import HFLM

    return HFLM(pretrained=model, tokenizer=tokenizer, batch_size=1, add_bos_token=bos)


def score(lm: Any, tasks: Any, items: int) -> dict[str, float]:
    """Task → accuracy over its first items."""
    from lm_eval.evaluator import evaluate

    results = evaluate(lm, tasks, limit=items, bootstrap_iters=0, log_samples=False)["results"]
    return {name: float(found["acc,none"]) for name, found in results.items() if "acc,none" in found}


if __name__ == "__main__":
    main()
