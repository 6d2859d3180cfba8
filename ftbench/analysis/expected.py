"""A run's cost as `ftbench estimate` would have said it, beside what the run measured."""

from __future__ import annotations

from collections.abc import Callable

from ftbench.analysis.documents import Compared, Expected
from ftbench.base_models import from_spec, hours
from ftbench.base_models.catalogue import BaseModel, find_base_model
from ftbench.base_models.estimate import estimate
from ftbench.board.submission import Submission
from ftbench.compile.plan import Plan
from ftbench.errors import FtbenchError
from ftbench.result.documents import ClientMemory
from ftbench.spec.entries import apply
from ftbench.spec.model import Spec

Facts = Callable[[str, str | None], BaseModel]
"""A base model by name and revision. Raises FtbenchError, or ModuleNotFoundError where what counts it is missing."""
RUNTIME = "runtime"
"""The estimate's part that no allocator counts."""


def expected(submission: Submission, plan: Plan, facts: Facts = find_base_model) -> Expected:
    """Of one run of `plan`. A base model of which `facts` knows nothing, and an entry's own strategy or training, leave
    estimates out."""
    result, entry = submission.result, submission.entry
    assert entry is not None
    cards = submission.environment.devices if submission.environment is not None else []
    told = Expected(
        benchmark=f"{result.name} {result.version}",
        name=entry.metadata.name,
        seed=result.seed,
        device=cards[0] if cards else "CPU",
        traffic_bytes=None,
        memory_bytes=None,
        train_seconds=None,
        operations_per_second=None,
    )
    if entry.open is not None:
        return told
    client = result.cost.client or ClientMemory()
    try:
        spec = apply(plan.typed_spec(), entry)
        model = facts(entry.model.name, entry.model.revision)
        return told.model_copy(update=_estimated(submission, spec, model, client, cards))
    except (FtbenchError, ModuleNotFoundError):
        return told


def _estimated(
    submission: Submission, spec: Spec, model: BaseModel, client: ClientMemory, cards: list[str]
) -> dict[str, Compared | float | None]:
    cost = submission.result.cost
    setting = from_spec.setting(spec, micro_batch=client.micro_batch)
    found = estimate(model, setting)
    memory = sum(part.bytes for part in found.memory if part.name != RUNTIME)
    counted = hours.operations(spec, model, setting, setting.clients_per_round)
    return {
        "traffic_bytes": _compared(found.communication.total_bytes, cost.bytes_down + cost.bytes_up),
        "memory_bytes": _compared(memory, client.allocated_bytes or client.growth_bytes),
        "train_seconds": _compared(hours.seconds(counted, setting, cards), cost.train_seconds),
        "operations_per_second": counted / cost.train_seconds if cost.train_seconds else None,
    }


def _compared(estimated: float | None, measured: float | None) -> Compared | None:
    return Compared(estimated=estimated, measured=measured) if estimated and measured else None
