"""A setting without an effect is an error: a table would show two methods where there is one.

A strategy, partition or optimiser that has such settings adds a rule here. FedProx with mu 0 (which its field does not
take) or with one local step is FedAvg; FedAvgM with momentum 0 and server rate 1 is FedAvg. Those of the robust
strategies are in `robust`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ftbench import codes
from ftbench.spec.checks.federation import sampled
from ftbench.spec.model import CosineSchedule, Sgd, Spec
from ftbench.spec.paths import Path
from ftbench.spec.problems import Problem
from ftbench.spec.strategies import STRATEGIES


@dataclass(frozen=True, slots=True)
class NoEffect:
    """A condition under which the setting at `path` changes nothing."""

    path: Path
    holds: Callable[[Spec], bool]
    message: str
    hint: str


def _cosine(spec: Spec) -> CosineSchedule | None:
    schedule = spec.training.schedule
    return schedule if isinstance(schedule, CosineSchedule) else None


def _flat(spec: Spec) -> bool:
    cosine = _cosine(spec)
    return cosine is not None and cosine.final_learning_rate == cosine.learning_rate


def _one_round(spec: Spec) -> bool:
    cosine = _cosine(spec)
    return cosine is not None and cosine.endpoints != "last" and spec.federation.rounds == 1


def _only_last(spec: Spec) -> bool:
    cosine = _cosine(spec)
    return cosine is not None and cosine.endpoints == "last" and spec.federation.rounds == 1


def _short_line(spec: Spec) -> bool:
    training = spec.training
    return training.within_round == "linear" and training.local_steps - (training.warmup_steps or 0) <= 1


def _prox_at_once(spec: Spec) -> bool:
    return spec.strategy.kind == "fedprox" and spec.training.local_steps == 1


def _still_server(spec: Spec) -> bool:
    strategy = spec.strategy
    return strategy.kind == "fedavgm" and strategy.momentum == 0 and strategy.server_learning_rate == 1


def _scaffold(spec: Spec) -> bool:
    return STRATEGIES[spec.strategy.kind].variates


def _no_drift(spec: Spec) -> bool:
    """c is what the only client has, or nobody has anything yet."""
    return _scaffold(spec) and (spec.federation.clients == 1 or spec.federation.rounds == 1)


def _cancelled(spec: Spec) -> bool:
    """One step in the direction of the gradient, and all are heard: the mean of the corrections c − cₖ is zero."""
    training, federation = spec.training, spec.federation
    return (
        _scaffold(spec)
        and isinstance(training.optimizer, Sgd)
        and training.local_steps == 1
        and training.max_grad_norm is None
        and sampled(federation.clients, federation.sampling.fraction) == federation.clients
        and spec.faults is None
    )


NO_EFFECT: tuple[NoEffect, ...] = (
    NoEffect(
        ("training", "schedule", "final_learning_rate"),
        _flat,
        "a cosine schedule that ends where it begins is constant",
        "use `kind: constant`",
    ),
    NoEffect(
        ("training", "schedule", "final_learning_rate"),
        _one_round,
        "with one round a cosine schedule never leaves its first learning rate",
        "use `kind: constant`, or more rounds",
    ),
    NoEffect(
        ("training", "schedule", "learning_rate"),
        _only_last,
        "with one round and `endpoints: last` no round has the first learning rate",
        "use `kind: constant`, or more rounds",
    ),
    NoEffect(
        ("training", "within_round"),
        _short_line,
        "a line over the one step that follows the warm-up is constant",
        "use `within_round: constant`, or more local steps",
    ),
    NoEffect(
        ("strategy", "mu"),
        _prox_at_once,
        "FedProx with one local step is FedAvg: the term has no slope at the global adapter, where that step begins",
        "take more local steps, or use `fedavg`",
    ),
    NoEffect(
        ("strategy", "momentum"),
        _still_server,
        "FedAvgM with momentum 0 and a server learning rate of 1 is FedAvg",
        "give it momentum or another rate, or use `fedavg`",
    ),
    NoEffect(
        ("strategy", "kind"),
        _no_drift,
        "SCAFFOLD's control variates begin at zero and differ from client to client only later: "
        "with one client or one round they change nothing",
        "use `fedavg`, or `fedavgm` with momentum 0 for a server learning rate",
    ),
    NoEffect(
        ("strategy", "kind"),
        _cancelled,
        "SCAFFOLD with one step of plain SGD at every client changes nothing: its corrections cancel in the mean",
        "take more local steps, ask fewer clients a round, or use `fedavg`",
    ),
)


def effects(spec: Spec) -> Iterator[Problem]:
    """Every rule of NO_EFFECT that holds."""
    for rule in NO_EFFECT:
        try:
            holds = rule.holds(spec)
        except AttributeError:  # a field that the rule looks at is absent; the others are tried all the same
            continue
        if holds:
            yield Problem(codes.NO_EFFECT, rule.path, rule.message, rule.hint)


def rising(spec: Spec) -> Iterator[Problem]:
    """Cosine annealing goes down."""
    cosine = _cosine(spec)
    if cosine and cosine.final_learning_rate > cosine.learning_rate:
        message = f"the last learning rate {cosine.final_learning_rate} is above the first, {cosine.learning_rate}"
        yield Problem(codes.CONTRADICTION, ("training", "schedule", "final_learning_rate"), message)


def warm_up(spec: Spec) -> Iterator[Problem]:
    """A client's round reaches the learning rate that it warms up to."""
    steps, warm = spec.training.local_steps, spec.training.warmup_steps
    if warm is not None and warm >= steps:
        message = f"a warm-up of {warm} steps never reaches the round's learning rate: `local_steps` is {steps}"
        yield Problem(codes.CONTRADICTION, ("training", "warmup_steps"), message, "warm up for fewer steps than that")
