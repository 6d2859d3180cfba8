"""What is wrong with a choice before anything is paid for: base model, targets and budgets against one another."""

from __future__ import annotations

from collections.abc import Iterator

from ftbench import codes
from ftbench.base_models import from_spec
from ftbench.base_models.adapters import adapted, elements, shapes
from ftbench.base_models.catalogue import BaseModel
from ftbench.base_models.communication import MIB, MOST_ROUNDS, Sending
from ftbench.diagnostics import Diagnostic
from ftbench.errors import InvalidInput
from ftbench.spec.implied import traffic
from ftbench.spec.model import Spec
from ftbench.spec.words import number

SMALLER = "take a smaller rank or fewer targets"


def problems(spec: Spec, model: BaseModel, *, own_strategy: bool = False) -> list[Diagnostic]:
    """Why a run of `spec`, whose knobs are in force, cannot pass with this base model; empty where nothing is known.

    FTB803 for targets that it lacks, FTB806 to FTB809 for the limits. Traffic counts as where all clients reply, which
    is exact; where the spec plans faults, a total above the budget is a warning, as less may be sent. `own_strategy`:
    an entry in the open division brings its strategy, and only that knows what it sends.
    """
    found = list(_size(spec, model))
    try:
        adapted(model.architecture, spec.adapter.targets)
    except InvalidInput as error:
        return [*found, *error.diagnostics]
    return found if own_strategy else [*found, *_trained(spec, model), *_sent(spec, model)]


def _size(spec: Spec, model: BaseModel) -> Iterator[Diagnostic]:
    if model.packed:
        message = f"the weights of {model.name} are stored quantised, so that nobody can count its parameters"
        hint = "name the model that it was made of; `model.quantization` of the spec says how it is loaded"
        yield Diagnostic(codes.OVER_PARAMETERS, message, hint=hint)
    elif model.parameters > spec.model.max_parameters:
        message = f"{model.name} has {model.parameters:,} parameters, and `model.max_parameters` allows "
        yield Diagnostic(codes.OVER_PARAMETERS, f"{message}{spec.model.max_parameters:,}", hint="choose a smaller one")


def _trained(spec: Spec, model: BaseModel) -> Iterator[Diagnostic]:
    setting = from_spec.setting(spec)
    tensors = shapes(model.architecture, setting.kind, setting.rank, setting.targets)
    rank = max(setting.client_ranks or [setting.rank])
    count, limit = elements(traffic.trained(setting.strategy, tensors, rank)), spec.budget.trainable_parameters
    if count > limit:
        message = f"an adapter of rank {rank} on {model.name} trains {count:,} parameters, and "
        message += f"`budget.trainable_parameters` allows {limit:,}"
        yield Diagnostic(codes.OVER_TRAINABLE, message, hint=SMALLER)


def _sent(spec: Spec, model: BaseModel) -> Iterator[Diagnostic]:
    setting, faults = from_spec.setting(spec), spec.faults is not None
    tensors = shapes(model.architecture, setting.kind, setting.rank, setting.targets)
    ranks = setting.client_ranks or [setting.rank]
    sending = Sending(setting.strategy, setting.transport, tensors, ranks, setting.clients_per_round, setting.rounds)
    limit = spec.budget.communication_mib * MIB
    down, up = sending.client(min(ranks), 0)
    least = setting.clients_per_round * (down if faults else down + up)
    if least > limit:
        message = f"one round of {setting.clients_per_round} clients sends {_mib(least)} MiB, and "
        message += f"`budget.communication_mib` allows {number(spec.budget.communication_mib)}"
        yield Diagnostic(codes.BELOW_ONE_ROUND, message, hint=f"{SMALLER}, or a transport of fewer bytes")
        return
    spent = 0.0
    for done, size in zip(range(min(setting.rounds, MOST_ROUNDS)), sending.sizes(), strict=False):
        spent += size
        if spent > limit:
            message = f"{setting.rounds} rounds do not fit into `budget.communication_mib`, "
            message += f"{number(spec.budget.communication_mib)}: the run would be stopped in round {done + 1}"
            exact = not faults and len(set(ranks)) == 1
            hint = f"{SMALLER}, or a transport of fewer bytes"
            yield Diagnostic(codes.OVER_TRAFFIC, message, hint=hint, severity="error" if exact else "warning")
            return


def _mib(size: float) -> str:
    return f"{size / MIB:,.3f}".rstrip("0").rstrip(".")
