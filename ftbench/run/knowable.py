"""What is known of a run before any weights are asked for: base model, targets and budgets against one another."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ftbench.base_models.catalogue import BaseModel
from ftbench.base_models.choice import problems
from ftbench.base_models.lookup import look_up
from ftbench.compile.plan import Plan
from ftbench.data.hub import Hub
from ftbench.data.store import Store
from ftbench.diagnostics import Diagnostic
from ftbench.errors import FtbenchError, InvalidInput
from ftbench.spec.entries import apply
from ftbench.spec.entry import ResolvedEntry
from ftbench.spec.model import BaseModelRef


def check_choice(plan: Plan, entry: ResolvedEntry, store: Store, tell: Callable[[str], None]) -> None:
    """The checks of `ftbench validate --entry`, with a hub's config.json where nothing here knows the model.

    Raises InvalidInput (FTB803, FTB806 to FTB809).
    """
    check_choices(plan, [entry], store, tell)


def check_choices(plan: Plan, entries: Sequence[ResolvedEntry], store: Store, tell: Callable[[str], None]) -> None:
    """The same for several entries, each model looked up once. Raises InvalidInput with what is wrong with any."""
    models: dict[BaseModelRef, BaseModel | None] = {}
    wrong: dict[Diagnostic, None] = {}
    for entry in entries:
        if entry.model not in models:
            models[entry.model] = _model(entry.model, store, tell)
        model = models[entry.model]
        own = entry.open is not None and entry.open.strategy is not None
        if model is not None:
            wrong |= dict.fromkeys(problems(apply(plan.typed_spec(), entry), model, own_strategy=own))
    for one in wrong:
        if one.severity != "error":
            tell(f"{one.code}: {one.message}")
    if errors := [one for one in wrong if one.severity == "error"]:
        raise InvalidInput(errors)


def _model(base: BaseModelRef, store: Store, tell: Callable[[str], None]) -> BaseModel | None:
    """What is known of the model. One that cannot be known, without a connection for example, is told and let through:
    what brings it, and what loads it, says more."""
    try:
        return look_up(base.name, base.revision, store, lambda: Hub(store.scratch(), tell=tell, attempts=1))
    except (FtbenchError, ModuleNotFoundError) as error:
        why = error.diagnostics[0].message if isinstance(error, FtbenchError) else str(error)
        tell(f"targets, parameters and traffic of {base.name} were not checked beforehand: {why}")
        return None
