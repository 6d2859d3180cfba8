"""What a client process keeps between messages: the loaded model and the examples of partitions.

Any client may land on any process, so nothing here belongs to one client: adapter values are set from each message,
and examples are kept by partition.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import rfc8785
import torch

from . import (
    batches,
    captured,
    client_rows,
    initial,
    loading,
    model,
    node,
    objective,
    open_division,
    plan,
    prepared,
    schedule,
    seeding,
    settings,
    step_log,
    store,
    training,
    used,
    validation,
)
from .arrays import Arrays
from .errors import AppError
from .in_force import strategy_of
from .settings import Settings
from .strategy.base import Strategy
from .together import Adapters
from .used import Used

_workers: dict[bytes, Worker] = {}
_checked: dict[str, plan.Plan] = {}


@dataclass
class Worker:
    """The model with its adapter, on the device, and the tokenizer."""

    net: torch.nn.Module
    tokenizer: Any
    examples: dict[tuple[str, int], Used] = field(default_factory=dict)
    """(kind of reference run or empty, partition) → its rows as the objective's examples."""
    validation: list[Any] | None = None
    rows: list[dict[str, Any]] | None = None
    lists: list[list[int]] | None = None
    fitting: int | None = None
    """The micro-batch that fitted the memory so far, where it is found by trying."""
    together: Adapters | None = None
    """Places for clients that train together."""
    drawn: tuple[int, Arrays] | None = None
    """Seed and the initial adapter that it gives, where a strategy asked for it."""


def checked_settings(config: dict[str, Any]) -> Settings:
    """Settings after the self-check, which each process makes once for each spec hash and code of the entry's own."""
    expected, code = str(config.get("spec-hash", "")), str(config.get("open-code", ""))
    if expected + code not in _checked:
        model.go_offline()
        found = plan.load()
        plan.check_app(
            found, expected, bool(config.get("unpinned", False)), own=open_division.files(open_division.parse(code))
        )
        _checked[expected + code] = found
    return settings.read(config, _checked[expected + code])


def check_store(wanted: Settings, partition: int) -> None:
    """Everything that training that partition needs is at hand. Raises AppError naming what is missing."""
    store.find_model(wanted.roots, wanted.model["name"], wanted.model["revision"])
    if node.check_node(wanted, partition):
        return
    store.find_rows(wanted.roots, wanted.pins["sources"]["train"]["digest"], source_of(wanted))
    store.find_partition(wanted.roots, wanted.pins["partition"]["digest"])
    if "validation" in wanted.spec["data"]:
        store.find_partition(wanted.roots, wanted.pins["partition"]["validation"])


def source_of(wanted: Settings) -> str:
    """The training data's source in words."""
    return "the training data (" + " ".join(str(value) for value in wanted.spec["data"]["source"].values()) + ")"


def find_worker(wanted: Settings) -> Worker:
    """This process's worker for these conditions, loaded at first use. Only the latest is kept."""
    held = [dict(wanted.model), dict(wanted.spec["model"]), wanted.adapter]
    key = rfc8785.dumps([*held, wanted.spec_hash, [str(root) for root in wanted.roots]])
    if key not in _workers:
        _workers.clear()
        folder = store.model(wanted.roots, wanted.model["name"], wanted.model["revision"])
        seeding.seed_everything(seeding.derive(wanted.seed, "worker"))
        if loading.device().type == "cuda":
            loading.make_deterministic()
            warnings.showwarning = _noticing(warnings.showwarning)
        base = loading.load_base(folder, wanted.spec["model"])
        net = model.attach(base, wanted.adapter, seeding.derive(wanted.seed, "adapter")).to(loading.device())
        if why := prepared.prepare(net):
            print(f"ftbench: peft's own layers, not ours, which need more time: {why}", flush=True)
        _workers[key] = Worker(net, model.load_tokenizer(folder))
    return _workers[key]


def deterministic() -> bool:
    """Whether everything computed so far in this process gives the same bits again on the same device.

    On a CPU it does. On a CUDA device torch says where it does not; bitsandbytes says nothing, so quantised weights
    count as not reproducible there.
    """
    if loading.device().type != "cuda":
        return True
    quantised = any(type(m).__module__.startswith("bitsandbytes") for w in _workers.values() for m in w.net.modules())
    return not (_noticed or quantised)


_noticed: list[str] = []
"""Operations of which torch said that they have no deterministic form."""


def _noticing(show: Any) -> Any:
    def notice(message: Any, *rest: Any, **more: Any) -> None:
        if "deterministic" in str(message):
            _noticed.append(str(message))
        show(message, *rest, **more)

    return notice


def examples_of(worker: Worker, wanted: Settings, partition: int) -> list[Any]:
    """Examples of one partition, made at first use; the log tells of rows that are left out. Raises AppError where
    none can be trained on."""
    key = (wanted.reference, client_rows.stream(wanted, partition))
    if key not in worker.examples:
        rows, numbers = node.rows(wanted, partition), None
        if rows is None:
            if worker.lists is None:
                worker.lists = store.partition(wanted.roots, wanted.pins["partition"]["digest"])
            numbers = client_rows.numbers(wanted, worker.lists, partition)
            rows = _rows(worker, wanted, numbers)
        worker.examples[key] = _made(worker, wanted, rows, numbers, f"client {partition}")
    found = worker.examples[key]
    if not found.examples:
        reasons = ", ".join(f"{len(numbers)} {reason}" for reason, numbers in sorted(found.left_out.items()))
        raise AppError(
            "FTB555",
            f"none of the {found.held} rows of partition {partition} can be learnt from: {reasons}",
            "the benchmark's author may raise training.sequence_length, set data.over_length to truncate, or mend rows",
        )
    return found.examples


def _rows(worker: Worker, wanted: Settings, numbers: Sequence[int]) -> list[dict[str, Any]]:
    """Rows of the whole training data by their numbers."""
    if worker.rows is None:
        worker.rows = store.rows(wanted.roots, wanted.pins["sources"]["train"]["digest"], source_of(wanted))
    return [worker.rows[n] for n in numbers]


def _made(
    worker: Worker, wanted: Settings, rows: Sequence[dict[str, Any]], numbers: Sequence[int] | None, whose: str
) -> Used:
    """The rows as the objective's examples; what is left out is printed."""
    minimised = objective.find_objective(wanted.spec)
    found = used.find_used(minimised, rows, worker.tokenizer, worker.net, numbers)
    for line in found.told(whose):
        print(f"ftbench: {line}", flush=True)
    return found


def drawn(worker: Worker, wanted: Settings) -> Arrays:
    """The run's initial adapter, the same at every client and at the server."""
    if worker.drawn is None or worker.drawn[0] != wanted.seed:
        folder = store.model(wanted.roots, wanted.model["name"], wanted.model["revision"])
        worker.drawn = wanted.seed, initial.arrays(folder, wanted.spec, wanted.seed)
    return worker.drawn[1]


def validation_loss(wanted: Settings, arrays: Arrays) -> float:
    """Loss of a global adapter on the validation cut. Raises AppError where the cut has no usable row."""
    worker, kind = find_worker(wanted), strategy_of(wanted)
    if worker.validation is None:
        (numbers,) = store.partition(wanted.roots, wanted.pins["partition"]["validation"])
        rows = _rows(worker, wanted, numbers)
        worker.validation = _made(worker, wanted, rows, numbers, "validation cut").examples
    if not worker.validation:
        raise AppError("FTB555", "the validation cut has no row that fits training.sequence_length")
    model.set_arrays(worker.net, kind.begin(arrays, lambda: drawn(worker, wanted)))
    with kind.around(worker.net, arrays):
        return validation.loss(worker.net, worker.validation, objective.find_objective(wanted.spec))


def train(
    wanted: Settings,
    partition: int,
    round_number: int,
    learning_rate: float,
    received: Arrays,
    *,
    kind: Strategy | None = None,
    client_state: Arrays | None = None,
) -> tuple[Arrays, training.Outcome]:
    """One client's round from what it received: the trained adapter, and what the steps came to.

    `kind`: the strategy, in force where it is left out; `client_state`: what it keeps at this client.
    With `micro-batch` auto the round begins anew with half as many examples in one pass whenever memory runs out.
    """
    worker, kind = find_worker(wanted), kind or strategy_of(wanted)
    examples = examples_of(worker, wanted, partition)
    auto = wanted.micro_batch == settings.AUTO
    stream = client_rows.stream(wanted, partition)
    begin = kind.begin(received, lambda: drawn(worker, wanted))
    while True:
        recipe = kind.recipe(plain_recipe(worker, wanted, learning_rate), received, client_state)
        model.set_arrays(worker.net, begin)
        seeding.seed_everything(seeding.derive(wanted.seed, "client", round_number, stream))
        order = batches.order(len(examples), seeding.derive(wanted.seed, "order", round_number, stream))
        try:
            with kind.around(worker.net, received):
                tell = step_log.told_to(wanted.run_dir, round_number, partition, recipe.steps)
                outcome = training.train(worker.net, examples, order, recipe, tell)
            return model.get_arrays(worker.net), told(outcome, recipe, len(examples), round_number, partition)
        except AppError as error:
            if not auto or error.code != training.OUT_OF_MEMORY or recipe.micro_batch == 1:
                raise
        worker.fitting = recipe.micro_batch // 2
        give_back(worker)


def plain_recipe(worker: Worker, wanted: Settings, learning_rate: float) -> training.Recipe:
    """What the steps of a round have in common, as federated averaging has it; its objective is its own."""
    spec = wanted.spec["training"]
    norm, whole = spec.get("max_grad_norm"), int(spec["batch_size"])
    return training.Recipe(
        learning_rate=learning_rate,
        optimizer=spec["optimizer"],
        steps=wanted.local_steps,
        batch_size=whole,
        micro_batch=(worker.fitting or whole) if wanted.micro_batch == settings.AUTO else wanted.micro_batch,
        objective=objective.find_objective(wanted.spec),
        max_grad_norm=None if norm is None else float(norm),
        factors=schedule.factors(spec, wanted.local_steps),
    )


def told(
    outcome: training.Outcome, recipe: training.Recipe, examples: int, round_number: int, partition: int
) -> training.Outcome:
    """The outcome with the rows used and the examples in one pass; the log is told what the objective has to say."""
    if said := recipe.objective.told():
        said += f", {outcome.padding:.1%} of the positions padding"
        print(f"ftbench: round {round_number}, client {partition}: {said}", flush=True)
    whole = recipe.batch_size
    return replace(outcome, used=examples, micro_batch=min(recipe.micro_batch or whole, whole))


def give_back(worker: Worker) -> None:
    """Let go of what steps keep on a device, after memory ran out."""
    worker.together = None
    if loading.device().type == "cuda":
        captured.forget(worker.net)
        torch.cuda.empty_cache()
