"""Our training loop against transformers.Trainer: same model, adapter, examples, order, optimiser and steps.

    python benchmarks/training_loop.py --steps 50

Prints the seconds of both sides and their ratio. What is timed is a client's round: optimiser or Trainer made anew,
then the steps. That both end at the same adapter is checked, not assumed.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

import common
import numpy
import torch
import transformers

from ftbench.app import batches, loading, model, objective, prepared, training
from ftbench.app.tokens import IGNORED, Example, encode_all

LEARNING_RATE = 1e-3
SEED = 7
TOLERANCE = 1e-4
"""Largest difference of an adapter's value between the two sides; they add the same numbers in another order."""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=50, help="optimiser steps of a round (default: 50)")
    parser.add_argument("--repeats", type=int, default=5, help="times that each side is measured (default: 5)")
    parser.add_argument("--threads", type=int, default=1, help="threads of torch (default: 1)")
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()

    world = common.world()
    spec = world.spec.model_dump(mode="json")
    digest = world.pins.sources["train"].digest
    assert digest is not None, "the quickstart is pinned"
    tokenizer = model.load_tokenizer(world.model)
    rows = world.store.rows(digest)
    examples = encode_all(rows, spec["data"], spec["training"]["sequence_length"], tokenizer)
    size = spec["training"]["batch_size"]
    order = batches.order(len(examples), SEED)
    chosen = [examples[next(order)] for _ in range(asked.steps * size)]

    net = model.attach(loading.load_base(world.model, spec["model"]), spec["adapter"], SEED).to(loading.device())
    other = model.attach(loading.load_base(world.model, spec["model"]), spec["adapter"], SEED).to(loading.device())
    if why := prepared.prepare(net):
        sys.exit(f"our layers are not in use: {why}")
    start = model.get_arrays(net)
    ends: dict[str, Any] = {}

    def side(name: str, held: torch.nn.Module, work: Callable[[], None]) -> Callable[[], float]:
        def run() -> float:
            model.set_arrays(held, start)
            seconds = common.timed(work)
            ends[name] = model.get_arrays(held)
            return seconds

        return run

    with tempfile.TemporaryDirectory() as folder:
        sides = {
            "ftbench's loop": side("ours", net, lambda: plain(net, chosen, spec, asked.steps)),
            "transformers.Trainer": side("theirs", other, lambda: trainer(other, chosen, spec, asked.steps, folder)),
        }
        seconds = common.in_turn(sides, asked.repeats)
    apart = max(float(numpy.abs(ends["ours"][name] - ends["theirs"][name]).max()) for name in start)
    moved = max(float(numpy.abs(ends["ours"][name] - start[name]).max()) for name in start)
    if not apart <= TOLERANCE < moved:
        sys.exit(f"the two sides are no comparison: adapters {apart:.2e} apart after moving by {moved:.2e}")
    facts = {"steps": asked.steps, "batch": size, "adapters_apart": apart, "adapters_moved": moved}
    common.report("training_loop", seconds, facts)


def plain(net: torch.nn.Module, examples: list[Example], spec: dict[str, Any], steps: int) -> None:
    """A client's steps as the compiled app takes them."""
    recipe = training.Recipe(
        learning_rate=LEARNING_RATE,
        optimizer=spec["training"]["optimizer"],
        steps=steps,
        batch_size=spec["training"]["batch_size"],
        micro_batch=0,
        objective=objective.find_objective(spec),
        max_grad_norm=spec["training"]["max_grad_norm"],
    )
    training.train(net, examples, iter(range(len(examples))), recipe)


def trainer(net: torch.nn.Module, examples: list[Example], spec: dict[str, Any], steps: int, folder: str) -> None:
    """The same steps by transformers.Trainer, with all that it can be told to leave out left out."""
    block = spec["training"]["optimizer"]
    arguments = transformers.TrainingArguments(
        output_dir=folder,
        max_steps=steps,
        per_device_train_batch_size=spec["training"]["batch_size"],
        learning_rate=LEARNING_RATE,
        lr_scheduler_type="constant",
        optim="adamw_torch",
        adam_beta1=block["beta1"],
        adam_beta2=block["beta2"],
        adam_epsilon=block["epsilon"],
        weight_decay=block["weight_decay"],
        max_grad_norm=spec["training"]["max_grad_norm"],
        remove_unused_columns=False,
        save_strategy="no",
        logging_strategy="no",
        report_to="none",
        disable_tqdm=True,
        dataloader_pin_memory=False,
        use_cpu=not torch.cuda.is_available(),
        seed=SEED,
    )
    made = InOrder(model=net, args=arguments, train_dataset=examples, data_collator=collate)
    made.remove_callback(transformers.PrinterCallback)
    made.train()


class InOrder(transformers.Trainer):
    """Takes the examples as they come."""

    def _get_train_sampler(self, *_: Any, **__: Any) -> Any:
        return torch.utils.data.SequentialSampler(self.train_dataset)


def collate(part: list[Example]) -> dict[str, torch.Tensor]:
    """A batch under the names that transformers knows."""
    longest = max(len(one.ids) for one in part)
    ids = torch.tensor([one.ids + [0] * (longest - len(one.ids)) for one in part])
    mask = torch.tensor([[1] * len(one.ids) + [0] * (longest - len(one.ids)) for one in part])
    labels = torch.tensor([one.labels + [IGNORED] * (longest - len(one.ids)) for one in part])
    return {"input_ids": ids, "attention_mask": mask, "labels": labels}


if __name__ == "__main__":
    main()
