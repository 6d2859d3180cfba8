"""From a spec argument to a loaded or compiled benchmark: what several commands begin with."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from ftbench import codes
from ftbench.cli.ui import Ui

if TYPE_CHECKING:
    from ftbench.base_models.catalogue import BaseModel
    from ftbench.compile.compiler import Compiled
    from ftbench.compile.plan import Plan
    from ftbench.data.store import Store
    from ftbench.spec.choices import CommitOf
    from ftbench.spec.load import LoadedSpec
    from ftbench.spec.pins import Pins


def load(ui: Ui, spec: str) -> LoadedSpec:
    """The spec behind an argument; its warnings are shown. Raises InvalidInput with every problem."""
    from ftbench.api.specs import load_spec

    loaded = load_spec(spec)
    ui.diagnostics(loaded.warnings)
    return loaded


def compiled(ui: Ui, spec: str) -> tuple[LoadedSpec, Compiled]:
    """The spec behind an argument, compiled in memory. Raises InvalidInput or MissingResource (no pins)."""
    from ftbench.compile.compiler import compile_spec

    loaded = load(ui, spec)
    return loaded, compile_spec(loaded.spec, pins_of(ui, loaded))


def pins_of(ui: Ui, loaded: LoadedSpec) -> Pins:
    """The pins beside a spec; that some are not resolved is shown. Raises as `ftbench.api.specs.pins_of`."""
    from ftbench.api import specs

    pins, found = specs.pins_of(loaded)
    ui.diagnostics(found)
    return pins


def commit_of(ui: Ui, store: Store) -> CommitOf:
    """Asks the hub for the commit of a base model that was named without one, and prints it."""

    def ask(name: str) -> str:
        from ftbench.data.hub import Hub

        found = Hub(store.scratch()).commit("model", name)
        ui.note(f"{name}: no revision was given; this run uses commit {found}, which its entry records", "note")
        return found

    return ask


def look_up_online(ui: Ui, name: str, revision: str | None, store: str | None) -> BaseModel:
    """Facts of any base model; where neither catalogue nor store has it, its config.json alone is asked for on the hub.

    Raises as `ftbench.base_models.lookup.look_up`.
    """
    from ftbench.base_models.lookup import look_up
    from ftbench.data.hub import Hub
    from ftbench.data.store import Store

    here = Store.default(store)

    def connect() -> Hub:
        ui.note(f"{name} is neither in the catalogue nor in the store: its config.json is asked for", "note")
        return Hub(here.scratch(), tell=lambda text: ui.note(text, "note"), attempts=2)

    return look_up(name, revision, here, connect)


def read_plan(path: Path) -> Plan:
    """The plan in a file. Raises InvalidInput (FTB911)."""
    from pydantic import ValidationError

    from ftbench.compile.plan import Plan
    from ftbench.diagnostics import Diagnostic, Place
    from ftbench.errors import InvalidInput

    try:
        return Plan.model_validate_json(path.read_bytes())
    except ValidationError as error:
        message = f"this is no plan of a compiled benchmark: {error.errors()[0]['msg']}"
        raise InvalidInput(Diagnostic(codes.NO_PLAN, message, Place(str(path)))) from error


def benchmark_folders(given: tuple[Path, ...]) -> list[Path]:
    """Folders of compiled benchmarks: those given, else `generated` here, then ftbench's own."""
    from ftbench.api.judging import known_benchmarks

    return known_benchmarks(given)


def shell(*words: str) -> str:
    """A command as one would type it."""
    return shlex.join(words)
