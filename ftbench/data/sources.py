"""From a spec's `source` and `columns` to rows in our columns: one loader for each kind of source."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ftbench.data import builtin, codes
from ftbench.diagnostics import Diagnostic, did_you_mean
from ftbench.errors import InvalidInput
from ftbench.spec.model import BuiltinSource, Source


@dataclass(frozen=True, slots=True)
class Loaded:
    """Rows of one source."""

    rows: list[dict[str, Any]]
    licence: str


def _builtin(source: BuiltinSource) -> Loaded:
    return Loaded(builtin.rows(source.name, source.split), builtin.data_set(source.name).licence)


LOADERS: dict[str, Callable[[Any], Loaded]] = {"builtin": _builtin}
"""`source.kind` → what loads it, with the source's own columns."""

OFFLINE = frozenset({"builtin"})
"""Kinds whose rows can be had again without the network."""


def load(source: Source, columns: Mapping[str, str]) -> Loaded:
    """Rows of `source`, in its order, with our columns only. Raises InvalidInput (FTB304 to FTB306)."""
    loaded = LOADERS[source.kind](source)
    return Loaded([_mapped(row, columns, describe(source)) for row in loaded.rows], loaded.licence)


def describe(source: Source) -> str:
    """The source in a few words, for messages."""
    return f"{source.kind} data set {source.name}, split {source.split}"


def _mapped(row: Mapping[str, Any], columns: Mapping[str, str], what: str) -> dict[str, Any]:
    unknown = [theirs for theirs in columns.values() if theirs not in row]
    if unknown:
        hint = did_you_mean(unknown[0], row) or f"it has: {', '.join(row)}"
        raise InvalidInput(Diagnostic(codes.UNKNOWN_COLUMN, f"{what} has no column `{unknown[0]}`", hint=hint))
    return {ours: row[theirs] for ours, theirs in columns.items()}
