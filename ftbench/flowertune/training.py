"""How an app trains: rounds, sampling, learning rate, steps, optimiser, schedule inside a round, precision, loss."""

from __future__ import annotations

import math
from typing import Any

from ftbench.flowertune.case import Case
from ftbench.flowertune.facts import Fact
from ftbench.spec.emit import flow
from ftbench.spec.implied import learning_rate
from ftbench.spec.model import CosineSchedule

ALIKE = 1e-6
"""Largest relative difference of two learning rates that are the same."""
PLAIN_ADAMW = {"adamw_torch", "adamw_torch_fused", "adamw_hf", "paged_adamw", "paged_adamw_32bit", "adamw"}
EIGHT_BITS = {"adamw_8bit", "adamw_bnb_8bit", "paged_adamw_8bit"}
MIXED = ("bf16", "fp16")
CHANGES = {
    "neftune_noise_alpha": None,
    "label_smoothing_factor": 0.0,
    "adam_epsilon": 1e-8,
    "packing": False,
    "group_by_length": False,
}
"""Arguments that change what is learnt → the value at which they do not."""


def look(case: Case) -> None:
    """Every finding of this subject."""
    case.choose("rounds", "federation.rounds", case.facts.rounds, "the number of rounds")
    _sampling(case)
    _batch(case)
    _steps(case)
    case.choose("batch", "training.sequence_length", case.facts.sequence_length, "the sequence length")
    _optimizer(case)
    _schedule(case)
    _rates(case)
    _precision(case)
    _loss(case)


def _argument(case: Case, name: str, default: Any) -> Fact[Any]:
    """An argument of the trainer, or transformers' own default."""
    return case.facts.arguments.get(name) or Fact(default, case.app.shown)


def _sampling(case: Case) -> None:
    share, clients = case.facts.fraction, case.spec.federation.clients
    if share is None:
        case.not_told(
            "sampling", "the share of clients in a round is not to be told; the entry keeps the benchmark's own"
        )
        return
    nodes = case.facts.supernodes.value if case.facts.supernodes else clients
    asked = min(nodes, max(int(nodes * share.value), case.facts.least_clients))
    if asked < 1 or nodes < 1:
        case.departs("sampling", "no client trains in a round", share.place)
        return
    value = share.value if math.floor(share.value * nodes + 0.5) == asked else round(asked / nodes, 6)
    if nodes != clients:
        value = round(asked / nodes, 6)
    case.choose(
        "sampling",
        "federation.sampling.fraction",
        Fact(value, share.place),
        f"the share of clients in a round ({asked} of {nodes})",
    )


def _batch(case: Case) -> None:
    size = _argument(case, "per_device_train_batch_size", 8)
    times = _argument(case, "gradient_accumulation_steps", 1)
    if type(size.value) is not int or type(times.value) is not int:
        case.not_told("batch", "the batch size is not to be told; the entry keeps the benchmark's own", size.place)
        return
    case.choose("batch", "training.batch_size", Fact(size.value * times.value, size.place), "the batch of a step")


def _steps(case: Case) -> None:
    steps, epochs = _argument(case, "max_steps", -1), _argument(case, "num_train_epochs", 3)
    if type(steps.value) is int and steps.value > 0:
        case.choose("steps", "training.local_steps", steps, "the number of a client's steps in a round")
        return
    rows = getattr(case.spec.data.source, "rows", None)
    batch = case.knobs.get("training.batch_size")
    if not isinstance(epochs.value, int | float) or rows is None or batch is None:
        case.not_told(
            "steps", "how long a client trains is not to be told; the entry keeps the benchmark's own", steps.place
        )
        return
    each = max(1, math.ceil(math.ceil(rows / case.spec.federation.clients) / batch.value * epochs.value))
    text = (
        f"a client trains {flow(epochs.value)} epochs, which no entry can ask for; about {each} steps come to the same"
    )
    case.departs("steps", text, epochs.place)
    case.choose("steps", "training.local_steps", Fact(each, epochs.place), "the number of a client's steps in a round")


def _optimizer(case: Case) -> None:
    kind = _argument(case, "optim", "adamw_torch")
    name = str(kind.value).rpartition(".")[2].lower()
    if name in EIGHT_BITS:
        case.choose(
            "optimizer",
            "training.optimizer.moments",
            Fact("paged-8bit", kind.place),
            f"the optimiser's memory (`{name}`)",
        )
    elif name in PLAIN_ADAMW:
        case.choose("optimizer", "training.optimizer.moments", Fact("float32", kind.place), "the optimiser's memory")
    else:
        case.departs("optimizer", f"the optimiser is `{name}`; the benchmark's is AdamW", kind.place)
    for path, argument, default in (
        ("training.optimizer.beta1", "adam_beta1", 0.9),
        ("training.optimizer.beta2", "adam_beta2", 0.999),
        ("training.optimizer.weight_decay", "weight_decay", 0.0),
        ("training.max_grad_norm", "max_grad_norm", 1.0),
    ):
        fact = _argument(case, argument, default)
        if isinstance(fact.value, int | float) and not isinstance(fact.value, bool):
            case.choose("optimizer", path, Fact(float(fact.value), fact.place), f"`{argument}`")
    for name, neutral in CHANGES.items():
        fact = _argument(case, name, neutral)
        if fact.value != neutral:
            case.departs(
                "optimizer", f"`{name}` is {_shown(fact.value)}; the benchmark has no such setting", fact.place
            )


def _schedule(case: Case) -> None:
    kind = _argument(case, "lr_scheduler_type", "linear")
    steps = case.knobs.get("training.local_steps")
    warm = _argument(case, "warmup_steps", 0)
    ratio = _argument(case, "warmup_ratio", 0.0)
    count = warm.value if isinstance(warm.value, int | float) else 0
    if 0 < count < 1:  # transformers 5 takes a share there
        ratio, count = Fact(count, warm.place), 0
    if not count and isinstance(ratio.value, int | float) and ratio.value and steps:
        count, warm = math.ceil(ratio.value * steps.value), ratio
    name = str(kind.value)
    if name not in {"constant", "constant_with_warmup", "linear"}:
        case.departs(
            "schedule",
            f"inside a round the learning rate goes by `{name}`; the benchmark has constant and linear",
            kind.place,
        )
        return
    if name == "constant" and count:
        text = f"a warm-up of {flow(count)} steps does nothing under the schedule `constant`; the entry has none"
        case.carried("schedule", text, warm.place)
        count = 0
    within = "linear" if name == "linear" else "constant"
    case.choose("schedule", "training.within_round", Fact(within, kind.place), "the schedule inside a round")
    case.choose("schedule", "training.warmup_steps", Fact(int(count), warm.place), "the warm-up")


def _rates(case: Case) -> None:
    """The rate of each round, as the text comes to it, beside the benchmark's cosine."""
    schedule, facts = case.spec.training.schedule, case.facts
    told = {number: rate for number, rate in enumerate(facts.rates, 1) if rate is not None}
    if not told:
        text = "the learning rate of a round is not to be told from the text; the entry keeps the benchmark's own"
        case.not_told("learning-rate", text, facts.rate_place)
        return
    rounds = len(facts.rates)
    first, last = max(told.values()), min(told.values())
    if facts.rate_max is not None and facts.rate_min is not None and first != last:
        first, last = facts.rate_max.value, facts.rate_min.value
    place = facts.rate_max.place if facts.rate_max else facts.rate_place
    case.choose("learning-rate", "training.schedule.learning_rate", Fact(first, place), "the first learning rate")
    case.choose(
        "learning-rate",
        "training.schedule.final_learning_rate",
        Fact(last, facts.rate_min.place if facts.rate_min else place),
        "the last learning rate",
    )
    if not isinstance(schedule, CosineSchedule):
        return
    ours = schedule.model_copy(update={"learning_rate": first, "final_learning_rate": last})
    if _fits(told, ours, rounds):
        return
    other = ours.model_copy(update={"endpoints": "both" if schedule.endpoints == "last" else "last"})
    worst = max(told, key=lambda number: abs(told[number] - learning_rate.of_round(ours, number, rounds)))
    mine = learning_rate.of_round(ours, worst, rounds)
    text = f"in round {worst} of {rounds} the learning rate is {told[worst]:.4g}; by the benchmark's cosine "
    text += f"it is {mine:.4g}"
    if _fits(told, other, rounds):
        text += ": the phase is " + (
            "(r - 1) / (R - 1), not r / R" if other.endpoints == "both" else "r / R, not (r - 1) / (R - 1)"
        )
    case.departs("learning-rate", text, facts.rate_place)


def _fits(told: dict[int, float], schedule: CosineSchedule, rounds: int) -> bool:
    return all(
        math.isclose(rate, learning_rate.of_round(schedule, number, rounds), rel_tol=ALIKE, abs_tol=1e-15)
        for number, rate in told.items()
    )


def _precision(case: Case) -> None:
    for name in MIXED:
        fact = _argument(case, name, False)
        if fact.value is True:
            text = f"`{name}` trains under autocast in half precision; the benchmark keeps the adapter in float32"
            case.departs("precision", text, fact.place)


def _loss(case: Case) -> None:
    """Only the completion counts: by trl's collator, or by what stands in for it."""
    words = (
        "DataCollatorForCompletionOnlyLM",
        "train_on_responses_only",
        "completion_only_loss",
        "assistant_only_loss",
    )
    if not any(word in module.text for module in case.app.modules for word in words):
        case.departs("loss", "nothing leaves the prompt out of the loss; the benchmark learns from completions only")


def _shown(value: Any) -> str:
    return flow(value) if isinstance(value, str | int | float | bool) or value is None else "set"
