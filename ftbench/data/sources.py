"""From a spec's `source` and `columns` to rows in our columns: one loader for each kind of source."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from ftbench import codes
from ftbench.data import builtin
from ftbench.data.loaded import Loaded, Request, describe
from ftbench.diagnostics import Diagnostic, did_you_mean
from ftbench.errors import InvalidInput
from ftbench.spec.model import BuiltinSource, HubSource, Source, Spec

if TYPE_CHECKING:
    pass


TRAIN = "train"
"""Key of the training rows in the pins; a task's is `task:NAME`."""


def _builtin(source: BuiltinSource, request: Request) -> Loaded:
    return Loaded(builtin.rows(source.name, source.split), builtin.data_set(source.name).licence)


def _hub(source: HubSource, request: Request) -> Loaded:
    from ftbench.data.hub_source import load as load_from_hub

    if request.hub is None:
        raise ValueError("a source of the hub was to be loaded offline")
    return load_from_hub(source, request.hub(), request.revision)


LOADERS: dict[str, Callable[[Any, Request], Loaded]] = {"builtin": _builtin, "hub": _hub}
"""`source.kind` → what loads it, with the source's own columns."""

OFFLINE = frozenset({"builtin"})
"""Kinds whose rows can be had again without the network."""


def load(source: Source, columns: Mapping[str, str], request: Request | None = None) -> Loaded:
    """Rows of `source`, in its order, with our columns only. Raises InvalidInput (FTB304 to FTB306), and for the hub
    what `ftbench.data.hub_source.load` raises."""
    loaded = LOADERS[source.kind](source, request or Request())
    rows = [_mapped(row, columns, describe(source)) for row in loaded.rows]
    return Loaded(rows, loaded.licence, loaded.revision)


def named_sources(spec: Spec) -> dict[str, tuple[Source, dict[str, str]]]:
    """Every source of a spec with its columns, by its key in the pins."""
    tasks = {f"task:{task.name}": (task.source, task.columns) for task in spec.evaluation.tasks}
    return {TRAIN: (spec.data.source, spec.data.columns), **tasks}


def _mapped(row: Mapping[str, Any], columns: Mapping[str, str], what: str) -> dict[str, Any]:
    unknown = [theirs for theirs in columns.values() if theirs not in row]
    if unknown:
        hint = did_you_mean(unknown[0], row) or f"it has: {', '.join(row)}"
        raise InvalidInput(Diagnostic(codes.UNKNOWN_COLUMN, f"{what} has no column `{unknown[0]}`", hint=hint))
    return {ours: row[theirs] for ours, theirs in columns.items()}
