"""What `validate` says of a choice: entry and options against the spec, then the base model against both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ftbench import codes
from ftbench.base_models.catalogue import BaseModel, find_base_model
from ftbench.base_models.choice import problems
from ftbench.base_models.lookup import look_up
from ftbench.data.store import Store
from ftbench.diagnostics import Diagnostic, Place
from ftbench.errors import FtbenchError
from ftbench.spec.entries import NOBODY_ASKED, PlacedEntry, apply, resolve_entry
from ftbench.spec.entry import Entry
from ftbench.spec.model import Spec

TARGETS = "adapter.targets"


def check_choice(
    spec: Spec, entry: Entry | None, sets: Sequence[str], *, model: str | None, seed: int | None, store: Store
) -> list[Diagnostic]:
    """What is wrong with base model, targets and budgets of a choice that keeps to the spec's knobs.

    `model`: as `--model` has it, or the path of a config.json, which describes the base model. A model that is not
    known here is a warning (FTB810). Raises InvalidInput for what breaks the knobs' rules.
    """
    described = model if model is not None and is_config(model) else None
    resolved = resolve_entry(spec, entry, sets, None if described else model, seed, commit_of=lambda name: NOBODY_ASKED)
    in_force, base = apply(spec, resolved), resolved.model
    try:
        revision = None if base.revision == NOBODY_ASKED else base.revision
        found = _found(described) if described else look_up(base.name, revision, store)
    except (FtbenchError, ModuleNotFoundError) as error:
        if described and isinstance(error, FtbenchError):
            raise
        return [_unchecked(base.name, error)]
    own = resolved.open is not None and resolved.open.strategy is not None
    return [_placed(one, entry) for one in problems(in_force, found, own_strategy=own)]


def is_config(model: str) -> bool:
    """Whether `--model` names the settings of a model, or a folder that has them, rather than a model."""
    return model.endswith(".json") or (Path(model) / "config.json").is_file()


def _found(path: str) -> BaseModel:
    found = find_base_model(path)
    return found.model_copy(update={"name": f"the model of {path}"})


def _unchecked(name: str, error: FtbenchError | ModuleNotFoundError) -> Diagnostic:
    why = error.diagnostics[0].message if isinstance(error, FtbenchError) else f"the package {error.name} is missing"
    message = f"`{name}` is not known here, so that targets, parameters and traffic were not checked: {why}"
    hint = f"give its settings, --model config.json; or fetch them: ftbench data fetch --model {name} --no-weights"
    return Diagnostic(codes.CHOICE_UNCHECKED, message, hint=hint, severity="warning")


def _placed(found: Diagnostic, entry: Entry | None) -> Diagnostic:
    """The problem at the knob of the entry's file that it is about, where it has one."""
    document = entry.document if isinstance(entry, PlacedEntry) else None
    if document is None or entry is None:
        return found
    place: Place | None = None
    if found.code == codes.NO_SUCH_TARGET and TARGETS in entry.knobs:
        place = document.place(("knobs", TARGETS))
    elif entry.model is not None:
        place = document.place(("model",))
    return found if place is None else replace(found, place=place)
