"""What is known of a run before any weights are asked for: base model, targets and budgets against one another."""

from __future__ import annotations

from collections.abc import Callable

from ftbench.base_models.choice import problems
from ftbench.base_models.lookup import look_up
from ftbench.compile.plan import Plan
from ftbench.data.hub import Hub
from ftbench.data.store import Store
from ftbench.errors import FtbenchError, InvalidInput
from ftbench.spec.entries import apply
from ftbench.spec.entry import ResolvedEntry


def check_choice(plan: Plan, entry: ResolvedEntry, store: Store, tell: Callable[[str], None]) -> None:
    """The checks of `ftbench validate --entry`, with a hub's config.json where nothing here knows the model.

    A model that cannot be known, without a connection for example, is told and let through: what brings it, and what
    loads it, says more. Raises InvalidInput (FTB803, FTB806 to FTB809).
    """
    in_force, base = apply(plan.typed_spec(), entry), entry.model
    try:
        model = look_up(base.name, base.revision, store, lambda: Hub(store.scratch(), tell=tell, attempts=1))
    except (FtbenchError, ModuleNotFoundError) as error:
        why = error.diagnostics[0].message if isinstance(error, FtbenchError) else str(error)
        tell(f"targets, parameters and traffic of {base.name} were not checked beforehand: {why}")
        return
    own = entry.open is not None and entry.open.strategy is not None
    found = problems(in_force, model, own_strategy=own)
    wrong = [one for one in found if one.severity == "error"]
    if wrong:
        raise InvalidInput(wrong)
    for one in found:
        tell(f"{one.code}: {one.message}")
