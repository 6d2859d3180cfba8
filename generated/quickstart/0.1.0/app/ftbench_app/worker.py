"""What a client process keeps between messages: the loaded model and tokenised partitions.

Any client may land on any process, so nothing here belongs to one client: adapter values are set from each message,
and examples are kept by partition.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any

import rfc8785
import torch

from . import batches, model, plan, seeding, settings, store, tokens, training
from .arrays import Arrays
from .errors import AppError
from .settings import Settings
from .tokens import Example

_workers: dict[bytes, Worker] = {}
_checked: dict[str, plan.Plan] = {}


@dataclass
class Worker:
    """The model with its adapter, on the device, and the tokenizer."""

    net: torch.nn.Module
    tokenizer: Any
    examples: dict[int, list[Example]] = field(default_factory=dict)
    rows: list[dict[str, Any]] | None = None
    lists: list[list[int]] | None = None


def checked_settings(config: dict[str, Any]) -> Settings:
    """Settings after the self-check, which each process makes once for each spec hash."""
    expected = str(config.get("spec-hash", ""))
    if expected not in _checked:
        model.go_offline()
        found = plan.load()
        plan.check(found, expected, bool(config.get("unpinned", False)))
        _checked[expected] = found
    return settings.read(config, _checked[expected])


def check_store(wanted: Settings) -> None:
    """Everything that training needs is in the store. Raises AppError naming what is missing."""
    store.find_model(wanted.roots, wanted.model["name"], wanted.model["revision"])
    store.find_rows(wanted.roots, wanted.pins["sources"]["train"]["digest"], source_of(wanted))
    store.find_partition(wanted.roots, wanted.pins["partition"]["digest"])


def source_of(wanted: Settings) -> str:
    """The training data's source in words."""
    return "the training data (" + " ".join(str(value) for value in wanted.spec["data"]["source"].values()) + ")"


def find(wanted: Settings) -> Worker:
    """This process's worker for these conditions, loaded at first use. Only the latest is kept."""
    key = rfc8785.dumps([dict(wanted.model), wanted.adapter, wanted.spec_hash, [str(root) for root in wanted.roots]])
    if key not in _workers:
        _workers.clear()
        folder = store.model(wanted.roots, wanted.model["name"], wanted.model["revision"])
        seeding.seed_everything(seeding.derive(wanted.seed, "worker"))
        base = model.load_base(folder, int(wanted.spec["model"]["max_parameters"]))
        net = model.attach(base, wanted.adapter, seeding.derive(wanted.seed, "adapter")).to(model.device())
        if net_is_on_cuda(net):
            # cuBLAS needs this before its first call; operations without a deterministic form only warn.
            os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
            torch.use_deterministic_algorithms(True, warn_only=True)
        _workers[key] = Worker(net, model.load_tokenizer(folder))
    return _workers[key]


def net_is_on_cuda(net: torch.nn.Module) -> bool:
    """Whether the model is on a CUDA device."""
    return next(net.parameters()).is_cuda


def examples_of(worker: Worker, wanted: Settings, partition: int) -> list[Example]:
    """Tokenised rows of one partition. Raises AppError where none can be trained on."""
    if partition not in worker.examples:
        spec, pins = wanted.spec, wanted.pins
        if worker.rows is None or worker.lists is None:
            worker.rows = store.rows(wanted.roots, pins["sources"]["train"]["digest"], source_of(wanted))
            worker.lists = store.partition(wanted.roots, pins["partition"]["digest"])
        rows = [worker.rows[number] for number in worker.lists[partition]]
        length = int(spec["training"]["sequence_length"])
        worker.examples[partition] = tokens.encode_all(rows, spec["data"], length, worker.tokenizer)
    if not worker.examples[partition]:
        raise AppError(
            "FTB555",
            f"partition {partition} has no row that fits training.sequence_length with something to learn",
        )
    return worker.examples[partition]


def train(
    wanted: Settings, partition: int, round_number: int, learning_rate: float, arrays: Arrays
) -> tuple[Arrays, float]:
    """One client's round from the given adapter. Returns its adapter and mean loss."""
    worker = find(wanted)
    examples = examples_of(worker, wanted, partition)
    spec = wanted.spec["training"]
    norm = spec["max_grad_norm"]
    recipe = training.Recipe(
        learning_rate=learning_rate,
        optimizer=spec["optimizer"],
        steps=wanted.local_steps,
        batch_size=int(spec["batch_size"]),
        micro_batch=wanted.micro_batch,
        reduction=wanted.spec["data"]["loss_reduction"],
        max_grad_norm=None if norm is None else float(norm),
    )
    model.set_arrays(worker.net, arrays)
    seeding.seed_everything(seeding.derive(wanted.seed, "client", round_number, partition))
    order = batches.order(len(examples), seeding.derive(wanted.seed, "order", round_number, partition))
    loss = training.train(worker.net, examples, order, recipe)
    return model.get_arrays(worker.net), loss
