"""Log-likelihoods as `ftbench run` asks for them against lm-eval's `hf` model at its best batch size, all cores each.

    python benchmarks/scoring.py MODEL ITEMS.jsonl [--items 500] [--repeats 3]

MODEL: a folder with safetensors and tokenizer. ITEMS: a line an item, `{"prompt": …, "options": [" a", " b"]}`. Both
sides are given the same tokens. Prints seconds, the ratio with its spread, and by how much the log-likelihoods differ.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

import common
import torch
import transformers

WARM = 8
"""Requests that both sides are given before anything is timed."""
AGREE = 1e-3
"""Largest difference in nats."""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("file", type=Path)
    parser.add_argument("--items", type=int, default=500)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--batch-size", type=int, default=8, help="of lm-eval (default: 8)")
    parser.add_argument(
        "--processes", type=int, help="of ours, and as many threads of lm-eval (default: as many as cores)"
    )
    asked = parser.parse_args()
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    logging.disable(logging.WARNING)

    from lm_eval.models.huggingface import HFLM

    from ftbench.run.evaluation import model as eval_model
    from ftbench.run.evaluation.cache import Cache
    from ftbench.run.evaluation.lm import scoring_lm
    from ftbench.run.evaluation.tokens import encode
    from ftbench.run.processes.forked import cores

    processes = asked.processes or cores()
    torch.set_num_threads(1)
    model, tokenizer = eval_model.load_base(asked.model)
    lines = [json.loads(line) for line in asked.file.read_text(encoding="utf-8").splitlines()[: asked.items]]
    requests = list(dict.fromkeys((line["prompt"], option) for line in lines for option in line["options"]))
    encoded = [(request, *encode(tokenizer, *request, bos=False)) for request in requests]
    found: dict[str, list[Any]] = {}
    processor: dict[str, float] = {}

    def timed(side: str, work: Callable[[], None]) -> float:
        before = os.times()
        seconds = common.timed(work)
        after = os.times()
        processor[side] = sum(after[:4]) - sum(before[:4])
        return seconds

    def ours(count: int | None = None) -> float:
        torch.set_num_threads(1)
        with tempfile.TemporaryDirectory() as folder, Cache(Path(folder) / "cache.jsonl") as cache:
            lm = scoring_lm(
                model,
                tokenizer,
                bos=False,
                batch_size=None,
                cache=cache,
                conditions={},
                on_progress=lambda *_: None,
                processes=processes,
            )
            given = [SimpleNamespace(args=request) for request in requests[:count]]
            return timed("ours", lambda: found.update(ours=lm.loglikelihood(given)))

    def theirs(count: int | None = None) -> float:
        # Set at every turn: threads that were made once would not outlive the division of our processes.
        torch.set_num_threads(processes)
        lm = HFLM(pretrained=model, tokenizer=tokenizer, batch_size=asked.batch_size)
        seconds = timed(
            "theirs", lambda: found.update(theirs=lm._loglikelihood_tokens(encoded[:count], disable_tqdm=True))
        )
        torch.set_num_threads(1)
        return seconds

    ours(WARM)
    theirs(WARM)
    seconds = common.in_turn(
        {"ftbench": ours, f"lm-eval hf, batch {asked.batch_size}": theirs}, asked.repeats, warm=True
    )
    apart = max(abs(a[0] - b[0]) for a, b in zip(found["ours"], found["theirs"], strict=True))
    if apart > AGREE:
        sys.exit(f"the two sides are no comparison: log-likelihoods are {apart:.3g} nats apart")
    tokens = sum(len(option) for _, _, option in encoded) / len(encoded)
    facts: dict[str, Any] = {
        "items": len(lines),
        "tokens_an_option": round(tokens, 2),
        "nats_apart": apart,
        "processes": processes,
        # On a machine that others use, threads wait for each other, and only the processor's time compares the work.
        "processor_seconds": {side: round(seconds, 2) for side, seconds in processor.items()},
        "processor_ratio": round(processor["theirs"] / processor["ours"], 3),
    }
    common.report("scoring", seconds, facts)


if __name__ == "__main__":
    main()
