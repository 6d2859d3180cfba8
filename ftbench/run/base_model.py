"""The base model of a run, brought into the store where it is not there yet."""

from __future__ import annotations

from collections.abc import Callable

from ftbench import codes
from ftbench.data import base_models
from ftbench.data.hub import Hub
from ftbench.data.store import Store
from ftbench.diagnostics import Diagnostic
from ftbench.errors import MissingResource
from ftbench.spec.model import BaseModelRef


def fetch_command(ref: BaseModelRef) -> str:
    """What brings a base model into the store; empty for a built-in one, which comes with ftbench."""
    if len(ref.revision) == 64:
        return "" if ref.name.startswith("builtin/") else f"ftbench data add --model DIR --name {ref.name}"
    return f"ftbench data fetch --model {ref.name}@{ref.revision}"


def bring(ref: BaseModelRef, store: Store, tell: Callable[[str], None]) -> None:
    """Fetch a model of the hub that the store lacks; what is there, and what is built in, is left alone.

    Raises MissingResource with the command that gets it and what the hub said; FTB303 for one that is damaged.
    """
    command = fetch_command(ref)
    if len(ref.revision) == 64 or _there(ref, store, command):
        return
    name = f"{ref.name}@{ref.revision}"
    tell(f"{name} is not in the store: it is fetched now")
    try:
        fetched = base_models.fetch(ref, store, Hub(store.scratch(), tell=tell))
    except MissingResource as error:
        message = f"model {name} is not in the store and could not be fetched"
        hint = f"get it where there is a connection: {command}; or name the store that has it: --store DIR"
        raise MissingResource([Diagnostic(codes.MISSING_MODEL, message, hint=hint), *error.diagnostics]) from error
    for warning in fetched.warnings:
        tell(f"{warning.code}: {warning.message}")
    tell(f"{name} is in the store now: {fetched.size:,} bytes, licence {fetched.licence}")


def _there(ref: BaseModelRef, store: Store, command: str) -> bool:
    try:
        store.model_path(store.model_digest(ref), command=command)
    except MissingResource as error:
        if any(one.code != codes.MISSING_MODEL for one in error.diagnostics):
            raise
        return False
    return True
